package register

import (
	"cmp"
	"slices"
)

// plan is a history as the compact search goes through it: by the returns of what is not in doubt. An
// operation is open at the p-th return if it was called before that and none before the p-th is its own.
type plan struct {
	ops      []Op     // not in doubt
	returns  []int32  // ops by their returns
	returnOf []uint32 // by op: its place in returns
	opensAt  []uint32 // by op: the first return at which it is open
	byOpen   []int32  // ops by opensAt
	openFrom []int32  // by return: where those that open there begin in byOpen
	slotOf   []uint16 // by op: a number of its own while it is open, below slots
	slots    int
	kindOf   []uint32 // by op: the same number for those that differ only in their ends
	kinds    int
	places   []uint32 // by op: its index in the history
	doubts   []doubt
	makers   [][]uint32 // by value: the doubts that install it
	spoilers []uint32   // all doubts, if there are differences that may need one
	lastNeed []uint32   // by doubt: the last return of what may need it

	producers  []int32  // by value: how often it can be installed, the beginning among them
	observed   []uint32 // returns of observers, value by value
	observedAt []int32  // by value: where its observers begin
}

// doubt is a kind of operations in doubt that differ only in their calls. They are in the order of those.
type doubt struct {
	op      Op
	opensAt []uint32
	places  []uint32 // indices in the history
}

// doubtful is an operation in doubt and its index in the history.
type doubtful struct {
	Op
	place uint32
}

func newPlan(ops []Op) *plan {
	p := &plan{}
	var doubts []doubtful
	for i, o := range ops {
		if _, installs := o.installs(); !o.inDoubt() {
			p.ops, p.places = append(p.ops, o), append(p.places, uint32(i))
		} else if installs {
			o.Version = 0
			doubts = append(doubts, doubtful{o, uint32(i)})
		}
	}
	doubts = p.relevant(doubts)
	p.order()
	p.sortDoubts(doubts)
	p.index()
	p.assignSlots()
	p.assignKinds()
	return p
}

// orphan reports whether something was observed that nothing can have brought about, neither what installs it nor a
// chain of compare-and-sets from what the register can hold: no search is needed then.
func (p *plan) orphan() bool {
	madeOf := make([][]Value, len(p.producers)) // by what a compare-and-set found: what it made of it
	can := make([]bool, len(p.producers))
	ask := []Value{Absent}
	note := func(o *Op) {
		switch o.Action {
		case Write:
			ask = append(ask, o.Value)
		case Swap:
			madeOf[o.Old] = append(madeOf[o.Old], o.Value)
		}
	}
	for i := range p.ops {
		note(&p.ops[i])
	}
	for i := range p.doubts {
		note(&p.doubts[i].op)
	}
	for len(ask) > 0 {
		v := ask[len(ask)-1]
		ask = ask[:len(ask)-1]
		if !can[v] {
			can[v] = true
			ask = append(ask, madeOf[v]...)
		}
	}
	for v := range can {
		if !can[v] && len(p.observersOf(Value(v))) > 0 {
			return true
		}
	}
	return false
}

// relevant leaves out operations in doubt that nobody saw the effect of. Where there are differences,
// anything may have been the other value; then what nobody names becomes one value.
func (p *plan) relevant(doubts []doubtful) []doubtful {
	top := values(p.ops)
	for i := range doubts {
		top = max(top, int(doubts[i].Value)+1, int(doubts[i].Old)+1)
	}
	named := make([]bool, top+1)
	anybody := Value(top)
	var ask []Value // named, and not asked yet what it may have been made of
	name := func(v Value) {
		if !named[v] {
			named[v] = true
			ask = append(ask, v)
		}
	}
	different := false
	for i := range p.ops {
		o := &p.ops[i]
		if v, ok := o.observes(); ok {
			name(v)
		}
		if o.Action == Differ {
			different = true
			name(o.Old)
		}
	}
	madeOf := make([][]Value, len(named))
	for i := range doubts {
		switch o := &doubts[i]; {
		case o.Action != Swap:
		case different:
			name(o.Old)
		default:
			madeOf[o.Value] = append(madeOf[o.Value], o.Old)
		}
	}
	for len(ask) > 0 {
		v := ask[len(ask)-1]
		ask = ask[:len(ask)-1]
		for _, old := range madeOf[v] {
			name(old)
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

// assignSlots gives each operation a number that no other has while it is open.
func (p *plan) assignSlots() {
	p.slotOf = make([]uint16, len(p.ops))
	var free []uint16
	for r := range p.returns {
		for _, op := range p.opening(uint32(r)) {
			if len(free) == 0 {
				if p.slots == maxOpen {
					p.slots = maxOpen + 1 // it is too many, whatever follows
					return
				}
				free = append(free, uint16(p.slots))
				p.slots++
			}
			p.slotOf[op] = free[len(free)-1]
			free = free[:len(free)-1]
		}
		free = append(free, p.slotOf[p.returns[r]])
	}
}

// assignKinds gives operations that differ only in their ends the same number. Those of which a version is told are
// each of a kind of its own.
func (p *plan) assignKinds() {
	type kind struct {
		action     Action
		old, value Value
	}
	p.kindOf = make([]uint32, len(p.ops))
	known := make(map[kind]uint32)
	for i := range p.ops {
		o := &p.ops[i]
		k := kind{o.Action, o.Old, o.Value}
		n, ok := known[k]
		if !ok || o.Version != 0 {
			n = uint32(p.kinds)
			p.kinds++
			if o.Version == 0 {
				known[k] = n
			}
		}
		p.kindOf[i] = n
	}
}

// opening returns what opens at a return.
func (p *plan) opening(r uint32) []int32 { return p.byOpen[p.openFrom[r]:p.openFrom[r+1]] }

// sortDoubts puts equal operations in doubt together.
func (p *plan) sortDoubts(doubts []doubtful) {
	slices.SortFunc(doubts, func(a, b doubtful) int { return cmp.Compare(a.Call, b.Call) })
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
			p.doubts = append(p.doubts, doubt{op: o.Op})
		}
		p.doubts[i].opensAt = append(p.doubts[i].opensAt, uint32(at))
		p.doubts[i].places = append(p.doubts[i].places, o.place)
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
	// Values by how long they are needed: the first time that one is come to is for its longest need.
	until := make([]uint32, len(p.makers))
	var ask []Value
	for v := range p.makers {
		until[v] = lastDifference
		if o := p.observersOf(Value(v)); len(o) > 0 {
			until[v] = max(until[v], o[len(o)-1])
		}
		ask = append(ask, Value(v))
	}
	slices.SortFunc(ask, func(a, b Value) int { return cmp.Compare(until[b], until[a]) })
	done := make([]bool, len(p.makers))
	var chain []Value
	for _, v := range ask {
		need := until[v]
		for chain = append(chain[:0], v); len(chain) > 0; {
			v := chain[len(chain)-1]
			chain = chain[:len(chain)-1]
			if done[v] {
				continue
			}
			done[v], until[v] = true, need
			for _, t := range p.makers[v] {
				if o := &p.doubts[t].op; o.Action == Swap {
					chain = append(chain, o.Old)
				}
			}
		}
	}
	p.lastNeed = make([]uint32, len(p.doubts))
	for t := range p.doubts {
		p.lastNeed[t] = until[p.doubts[t].op.Value]
	}
}

// observersOf returns the returns of those that observed a value and are not in doubt, in their order.
func (p *plan) observersOf(v Value) []uint32 { return p.observed[p.observedAt[v]:p.observedAt[v+1]] }
