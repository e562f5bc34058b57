package register

import (
	"cmp"
	"math/bits"
	"slices"
)

// slots is how many operations the compact search can tell apart at one moment.
const slots = 64

// plan is a history as the compact search goes through it: by the returns of what is not in doubt. An
// operation is open at the p-th return if it was called before that and none before the p-th is its own.
type plan struct {
	ops      []Op     // not in doubt
	returns  []int32  // ops by their returns
	returnOf []uint32 // by op: its place in returns
	opensAt  []uint32 // by op: the first return at which it is open
	byOpen   []int32  // ops by opensAt
	openFrom []int32  // by return: where those that open there begin in byOpen
	slotOf   []uint8  // by op: a bit of its own while it is open

	doubts   []doubt
	makers   [][]uint32 // by value: the doubts that install it
	spoilers []uint32   // all doubts, if there are differences that may need one
	lastNeed []uint32   // by doubt: the last return of what may need it

	producers  []int32  // by value: how often it can be installed, the beginning among them
	observed   []uint32 // returns of observers, value by value
	observedAt []int32  // by value: where its observers begin
}

// doubt is a kind of operations in doubt that differ only in their calls.
type doubt struct {
	op      Op
	opensAt []uint32
}

// newPlan reports false if too much is open at once.
func newPlan(ops []Op) (*plan, bool) {
	p := &plan{}
	var doubts []Op
	for _, o := range ops {
		if _, installs := o.installs(); !o.inDoubt() {
			p.ops = append(p.ops, o)
		} else if installs {
			o.Version = 0
			doubts = append(doubts, o)
		}
	}
	doubts = p.relevant(doubts)
	p.order()
	p.sortDoubts(doubts)
	p.index()
	return p, p.assignSlots()
}

// relevant leaves out operations in doubt that nobody saw the effect of. Where there are differences,
// anything may have been the other value; then what nobody names becomes one value.
func (p *plan) relevant(doubts []Op) []Op {
	named := make([]bool, max(values(p.ops), values(doubts))+1)
	anybody := Value(len(named) - 1)
	different := false
	for i := range p.ops {
		o := &p.ops[i]
		if v, ok := o.observes(); ok {
			named[v] = true
		}
		if o.Action == Differ {
			different, named[o.Old] = true, true
		}
	}
	for again := true; again; {
		again = false
		for i := range doubts {
			o := &doubts[i]
			if v, ok := o.observes(); ok && !named[v] && (different || named[o.Value]) {
				named[v], again = true, true
			}
		}
	}
	kept := doubts[:0]
	for _, o := range doubts {
		switch {
		case named[o.Value]:
			kept = append(kept, o)
		case different:
			o.Value = anybody
			kept = append(kept, o)
		}
	}
	return kept
}

// order sorts returns, and finds out where operations open.
func (p *plan) order() {
	p.returns = make([]int32, len(p.ops))
	p.byOpen = make([]int32, len(p.ops))
	for i := range p.ops {
		p.returns[i], p.byOpen[i] = int32(i), int32(i)
	}
	slices.SortFunc(p.returns, func(a, b int32) int { return cmp.Compare(p.ops[a].Return, p.ops[b].Return) })
	slices.SortFunc(p.byOpen, func(a, b int32) int { return cmp.Compare(p.ops[a].Call, p.ops[b].Call) })
	p.returnOf = make([]uint32, len(p.ops))
	for i, op := range p.returns {
		p.returnOf[op] = uint32(i)
	}
	p.opensAt = make([]uint32, len(p.ops))
	p.openFrom = make([]int32, len(p.ops)+2)
	at := uint32(0)
	for i, op := range p.byOpen {
		for ; p.ops[p.returns[at]].Return < p.ops[op].Call; at++ {
			p.openFrom[at+1] = int32(i)
		}
		p.opensAt[op] = at
	}
	for i := int(at) + 1; i < len(p.openFrom); i++ {
		p.openFrom[i] = int32(len(p.byOpen))
	}
}

// assignSlots gives each operation a bit that no other has while it is open.
func (p *plan) assignSlots() bool {
	p.slotOf = make([]uint8, len(p.ops))
	free := ^uint64(0)
	for r := range p.returns {
		for _, op := range p.opening(uint32(r)) {
			if free == 0 {
				return false
			}
			slot := bits.TrailingZeros64(free)
			p.slotOf[op] = uint8(slot)
			free &^= 1 << slot
		}
		free |= 1 << p.slotOf[p.returns[r]]
	}
	return true
}

// opening returns what opens at a return.
func (p *plan) opening(r uint32) []int32 { return p.byOpen[p.openFrom[r]:p.openFrom[r+1]] }

// sortDoubts puts equal operations in doubt together.
func (p *plan) sortDoubts(doubts []Op) {
	slices.SortFunc(doubts, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	type kind struct {
		action     Action
		old, value Value
	}
	known := make(map[kind]int)
	at := 0
	for _, o := range doubts {
		for at < len(p.returns) && p.ops[p.returns[at]].Return < o.Call {
			at++
		}
		k := kind{o.Action, o.Old, o.Value}
		i, ok := known[k]
		if !ok {
			i = len(p.doubts)
			known[k] = i
			p.doubts = append(p.doubts, doubt{op: o})
		}
		p.doubts[i].opensAt = append(p.doubts[i].opensAt, uint32(at))
	}
}

// index finds out who installs and who observes each value.
func (p *plan) index() {
	n := values(p.ops)
	for _, d := range p.doubts {
		n = max(n, int(d.op.Value)+1, int(d.op.Old)+1)
	}
	p.producers = make([]int32, n)
	p.producers[Absent] = 1
	p.makers = make([][]uint32, n)
	p.observedAt = make([]int32, n+1)
	lastDifference := uint32(0)
	different := false
	for _, op := range p.returns {
		o := &p.ops[op]
		if v, ok := o.installs(); ok {
			p.producers[v]++
		}
		if v, ok := o.observes(); ok {
			p.observedAt[v+1]++
		}
		if o.Action == Differ {
			different, lastDifference = true, p.returnOf[op]
		}
	}
	for v := range n {
		p.observedAt[v+1] += p.observedAt[v]
	}
	p.observed = make([]uint32, p.observedAt[n])
	fill := slices.Clone(p.observedAt)
	for r, op := range p.returns {
		if v, ok := p.ops[op].observes(); ok {
			p.observed[fill[v]] = uint32(r)
			fill[v]++
		}
	}
	for t := range p.doubts {
		d := &p.doubts[t]
		p.producers[d.op.Value] += int32(len(d.opensAt))
		p.makers[d.op.Value] = append(p.makers[d.op.Value], uint32(t))
		if different {
			p.spoilers = append(p.spoilers, uint32(t))
		}
	}
	p.needs(lastDifference)
}

// needs finds out until when each kind of operations in doubt may be needed: by an observer of its value,
// by another one in doubt that builds on it, or by a difference.
func (p *plan) needs(lastDifference uint32) {
	p.lastNeed = make([]uint32, len(p.doubts))
	for t := range p.doubts {
		p.lastNeed[t] = lastDifference
		if o := p.observersOf(p.doubts[t].op.Value); len(o) > 0 {
			p.lastNeed[t] = max(p.lastNeed[t], o[len(o)-1])
		}
	}
	for again := true; again; {
		again = false
		for t := range p.doubts {
			o := &p.doubts[t].op
			if o.Action != Swap {
				continue
			}
			for _, maker := range p.makers[o.Old] {
				if p.lastNeed[maker] < p.lastNeed[t] {
					p.lastNeed[maker], again = p.lastNeed[t], true
				}
			}
		}
	}
}

// observersOf returns the returns of those that observed a value and are not in doubt, in their order.
func (p *plan) observersOf(v Value) []uint32 { return p.observed[p.observedAt[v]:p.observedAt[v+1]] }

// window is what is open at a return.
type window struct {
	plan      *plan
	at        uint32
	slots     [slots]int32 // the op at each taken slot
	taken     uint64
	observers uint64 // those that change nothing
}

func newWindow(p *plan) window {
	w := window{plan: p}
	w.open(0)
	return w
}

// seek moves to another return.
func (w *window) seek(p uint32) {
	for ; w.at < p; w.at++ {
		w.take(w.plan.returns[w.at])
		w.open(w.at + 1)
	}
	for ; w.at > p; w.at-- {
		for _, op := range w.plan.opening(w.at) {
			w.take(op)
		}
		w.put(w.plan.returns[w.at-1])
	}
}

func (w *window) open(r uint32) {
	for _, op := range w.plan.opening(r) {
		w.put(op)
	}
}

func (w *window) put(op int32) {
	bit := uint64(1) << w.plan.slotOf[op]
	w.slots[w.plan.slotOf[op]] = op
	w.taken |= bit
	if a := w.plan.ops[op].Action; a == Read || a == Differ {
		w.observers |= bit
	}
}

func (w *window) take(op int32) {
	bit := uint64(1) << w.plan.slotOf[op]
	w.taken &^= bit
	w.observers &^= bit
}
