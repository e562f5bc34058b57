package register

import (
	"cmp"
	"math"
	"slices"
)

// demand says how often the register must come to hold each value, at the least, for what observes it: twice if two
// observe it, and something that began after the one and ended before the other says that it held another one.
// Operations in doubt that could bring it there are no more than they are, so that a search need not try what uses
// them up.
type demand struct {
	visits [][]uint32 // by value: returns of observers of which each needs a visit of its own, the last one first
	makers [][]uint32 // by value: returns of what installs it for certain, in their order
}

// elsewhere is, among operations that returned before some moment, the latest call of one that says that the register
// held a value, and the latest of one that says so of another value.
type elsewhere struct {
	call, otherCall int64
	value           Value
}

// anyValue stands for the value of an operation that says of every value that the register held another one.
const anyValue = Value(math.MaxUint32)

func (e *elsewhere) take(call int64, v Value) {
	switch {
	case call > e.call && v == e.value:
		e.call = call
	case call > e.call:
		e.otherCall = e.call
		e.call, e.value = call, v
	case v != e.value:
		e.otherCall = max(e.otherCall, call)
	}
}

// than returns the latest call of an operation that says that the register held something else than v.
func (e *elsewhere) than(v Value) int64 {
	if e.value == v {
		return e.otherCall
	}
	return e.call
}

func newDemand(p *plan) demand {
	d := demand{visits: make([][]uint32, len(p.makers)), makers: make([][]uint32, len(p.makers))}
	before := make([]elsewhere, len(p.returns)+1) // by return
	before[0] = elsewhere{call: always, otherCall: always, value: anyValue}
	for r, op := range p.returns {
		o := &p.ops[op]
		now := before[r]
		found, observes := o.observes()
		left, installs := o.installs()
		switch {
		case observes && installs && found != left:
			now.take(o.Call, anyValue)
		case observes:
			now.take(o.Call, found)
		case installs:
			now.take(o.Call, left)
		}
		before[r+1] = now
		if installs {
			d.makers[left] = append(d.makers[left], uint32(r))
		}
	}
	for v := range d.visits {
		observers := p.observersOf(Value(v))
		if len(observers) == 0 || len(p.makers[v]) == 0 {
			continue // nothing in doubt is used up for it
		}
		bound := int64(math.MaxInt64) // what returns before it needs a visit of its own
		for _, r := range slices.Backward(observers) {
			o := &p.ops[p.returns[r]]
			if o.Return >= bound {
				continue
			}
			d.visits[v] = append(d.visits[v], r)
			earlier, _ := slices.BinarySearchFunc(
				p.returns,
				o.Call,
				func(op int32, t int64) int { return cmp.Compare(p.ops[op].Return, t) },
			)
			bound = before[earlier].than(Value(v))
		}
	}
	return d
}

// unmet reports whether, from a configuration on, the register must come to v more often than it can. It holds a value
// there, and some of what is in doubt is used.
func (s *explorer[M]) unmet(v Value, c *config[M], holds Value, used uint32) bool {
	visits := s.demand.visits[v]
	wanted, _ := slices.BinarySearchFunc(visits, c.p, func(r, p uint32) int { // those from p on
		if r >= p {
			return -1
		}
		return 1
	})
	if wanted == 0 {
		return false
	}
	// Only the first of them can have its place already: the others were called after it had returned.
	if first := s.returns[visits[wanted-1]]; s.opensAt[first] <= c.p && has(&c.mask, s.slotOf[first]) {
		wanted--
	}
	if holds == v {
		wanted--
	}
	makers := s.demand.makers[v]
	passed, _ := slices.BinarySearch(makers, c.p)
	wanted -= len(makers) - passed
	for _, t := range s.makers[v] {
		if wanted <= 0 {
			return false
		}
		wanted -= len(s.doubts[t].opensAt) - int(s.uses.count(used, t))
	}
	return wanted > 0
}
