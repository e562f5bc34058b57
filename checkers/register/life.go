package register

import (
	"cmp"
	"slices"
)

// life knows of each operation that installs a value until when that can be seen, whatever the order.
type life struct {
	ops []Op
	// ends are, by ID, the first return of something that must have replaced the value: it was called after
	// the operation had returned.
	ends map[uint32]int64
}

func newLife(ops []Op) *life {
	l := &life{ops: ops, ends: make(map[uint32]int64, len(ops))}
	var later []Op // that surely install something, by their calls
	for _, o := range ops {
		if _, ok := o.installs(); ok && !o.inDoubt() {
			later = append(later, o)
		}
	}
	slices.SortFunc(later, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	first := make([]int64, len(later)+1) // return of those from here on
	first[len(later)] = Never
	for i := len(later) - 1; i >= 0; i-- {
		first[i] = min(first[i+1], later[i].Return)
	}
	for _, o := range ops {
		if _, ok := o.installs(); ok {
			i, _ := slices.BinarySearchFunc(later, o.Return, func(o Op, t int64) int {
				if o.Call > t {
					return 1
				}
				return -1
			})
			l.ends[o.ID] = first[i]
		}
	}
	return l
}

// provable says whether the illegality of rest, a part of the operations, proves that of all of them.
// Observations may always be left out. What installs a value may be left out if nobody in rest can have
// observed it: then, in a legal order of all, nothing in rest stands between it and what replaces it. Nobody
// may observe a difference either.
func (l *life) provable(rest []Op) bool {
	kept := make(map[uint32]Action, len(rest))
	observers := make(map[Value][]Op)
	differences := false
	for _, o := range rest {
		kept[o.ID] = o.Action
		differences = differences || o.Action == Differ
		if v, ok := o.observes(); ok {
			observers[v] = append(observers[v], o)
		}
	}
	for _, o := range l.ops {
		v, installs := o.installs()
		if a, ok := kept[o.ID]; !installs || ok && a != Read {
			continue
		}
		if differences || slices.ContainsFunc(observers[v], func(r Op) bool { return r.Return >= o.Call && r.Call <= l.ends[o.ID] }) {
			return false
		}
	}
	return true
}
