package register

import (
	"cmp"
	"slices"
)

// byCall sorts operations by their calls.
func byCall(ops []Op) {
	slices.SortFunc(ops, func(a, b Op) int { return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.ID, b.ID)) })
}

// provable says whether the illegality of rest, a part of ops in the order of their calls, proves that of
// all of them. Observations may always be left out. What installs a value may be left out if nobody in rest can
// have observed it: it was called too late for that, or something in rest must have replaced it before. Then, in
// a legal order of ops, nothing in rest stands between it and what replaces it. A difference is an observation of
// every other value.
func provable(ops, rest []Op) bool {
	kept := make(map[uint32]Action, len(rest))
	observers := make(map[Value][]Op)
	var differences []Op
	var later []Op // that surely install something
	for _, o := range rest {
		kept[o.ID] = o.Action
		if o.Action == Differ {
			differences = append(differences, o)
		}
		if v, ok := o.observes(); ok {
			observers[v] = append(observers[v], o)
		}
		if _, ok := o.installs(); ok && !o.inDoubt() {
			later = append(later, o)
		}
	}
	firstReturn := make([]int64, len(later)+1) // of those from here on
	firstReturn[len(later)] = Never
	for i := len(later) - 1; i >= 0; i-- {
		firstReturn[i] = min(firstReturn[i+1], later[i].Return)
	}
	for _, o := range ops {
		v, installs := o.installs()
		if a, ok := kept[o.ID]; !installs || ok && a != Read {
			continue
		}
		if len(observers[v]) == 0 && len(differences) == 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(later, o.Return, func(o Op, t int64) int {
			if o.Call > t {
				return 1
			}
			return -1
		})
		seen := func(r Op) bool { return r.Return >= o.Call && r.Call <= firstReturn[i] }
		if slices.ContainsFunc(observers[v], seen) ||
			slices.ContainsFunc(differences, func(d Op) bool { return d.Old != v && seen(d) }) {
			return false
		}
	}
	return true
}
