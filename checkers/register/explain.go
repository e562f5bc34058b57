package register

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"
)

// maxAlternatives is how many values are named that an operation might have found.
const maxAlternatives = 8

// Alternatives returns the values with which the last operation of a proof would have been legal, had it found one
// of them, given all that was known of ops when it returned. They are all of them only if it says so. An
// operation that finds nothing has none.
func (p Proof) Alternatives(ctx context.Context, ops []Op, d Decision, limits Limits) (legal []Value, all bool) {
	ops = judged(ops, d)
	at := slices.IndexFunc(ops, func(o Op) bool { return o.ID == p.Last })
	if d.ByVersion || at < 0 || ops[at].Action == Write {
		return nil, false
	}
	last := ops[at]
	known := upTo(ops, last.Return)
	at = slices.IndexFunc(known, func(o Op) bool { return o.ID == p.Last })
	for _, v := range candidates(known, last) {
		if last.Action == Differ && v == last.Old {
			continue // that is what it says that it did not find
		}
		if ctx.Err() != nil { // there may be many, and not every engine looks
			return legal, false
		}
		known[at] = finding(last, v)
		switch (decider{ctx: ctx, limits: limits}).auto(known).Result {
		case porcupine.Ok:
			if legal = append(legal, v); len(legal) == maxAlternatives {
				return legal, false
			}
		case porcupine.Illegal:
		default:
			return legal, false
		}
	}
	return legal, true
}

// finding returns an operation as if it had found another value.
func finding(o Op, v Value) Op {
	o.Version = 0
	if o.Action == Swap {
		o.Old = v
	} else {
		o.Action, o.Value, o.Old = Read, v, Absent
	}
	return o
}

// candidates returns the values that an operation can have found as far as time alone tells: a value is gone for good
// once something that began after its last return has returned. Those that are in doubt come last.
func candidates(known []Op, o Op) []Value {
	latest := map[Value]int64{Absent: always} // the last return of what installed it
	replaced := int64(always)
	for i := range known {
		w := &known[i]
		v, ok := w.installs()
		if !ok || w.ID == o.ID {
			continue
		}
		latest[v] = max(w.Return, latest[v])
		if w.Return < o.Call {
			replaced = max(replaced, w.Call)
		}
	}
	var settled, doubtful []Value
	for _, v := range slices.Sorted(maps.Keys(latest)) {
		switch {
		case latest[v] == Never:
			doubtful = append(doubtful, v)
		case latest[v] >= replaced:
			settled = append(settled, v)
		}
	}
	return append(settled, doubtful...)
}

// Order returns the IDs of a proof's operations, but for the last, in an order that explains them: what there is before
// it became impossible. What is in doubt and not needed is left out. It is nil if there is no such order, or no time
// to find it.
func (p Proof) Order(ctx context.Context) []uint32 {
	s := ordering{ctx: ctx, dead: make(map[string]bool)}
	for _, o := range p.Ops {
		if o.ID != p.Last {
			s.ops = append(s.ops, o)
		}
	}
	s.done = make([]bool, len(s.ops))
	if !s.explain(held{}) {
		return nil
	}
	return s.order
}

// ordering searches for an order, with all that is certain before what is in doubt.
type ordering struct {
	ctx   context.Context
	ops   []Op
	done  []bool
	order []uint32
	dead  map[string]bool // what was done and held where no order goes on
}

func (s *ordering) explain(now held) bool {
	first, left := int64(Never), false // the first return of what is certain and not done
	for i, o := range s.ops {
		if !s.done[i] && !o.inDoubt() {
			first, left = min(first, o.Return), true
		}
	}
	if !left {
		return true
	}
	place := fmt.Sprint(s.done, now)
	if s.dead[place] || s.ctx.Err() != nil {
		return false
	}
	for _, doubt := range []bool{false, true} {
		for i, o := range s.ops {
			if s.done[i] || o.inDoubt() != doubt || o.Call > first {
				continue
			}
			after, ok := now.step(&o)
			if !ok {
				continue
			}
			s.done[i], s.order = true, append(s.order, o.ID)
			if s.explain(after) {
				return true
			}
			s.done[i], s.order = false, s.order[:len(s.order)-1]
		}
	}
	s.dead[place] = true
	return false
}
