package register

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
)

// config is how far a search has come. Everything that returned before the p-th return has its place in
// the order; of what is open there, mask says by slot what has its place too.
type config[M mask] struct {
	mask  M
	p     uint32
	state uint32 // what the register holds
	used  uint32 // which operations in doubt took effect
}

// compact decides by a search for an order, as porcupine does (Wing and Gong, 1993; Lowe, 2017), over
// configurations that say only what the rest of the search depends on. It keeps them few by these rules,
// each of which leaves out only orders of which another one is left:
//
//   - What observes, and fits, is put in place at once: later it can fit no better.
//   - Of equal operations that are open, the one that returns first comes first: they can change places.
//   - An operation in doubt is used only right before one that would not fit without it. Any other use can
//     be moved to the end, where nobody sees it.
//   - Of equal operations in doubt, the one that was called first is used first.
//   - Having used more of what is in doubt, to come to the same, is of no use.
//   - What is in doubt is not used up where more of it is needed later ([demand]).
//   - A value that somebody must still observe, and that nothing else will install, is not replaced; and
//     what has to return next must be able to.
//
// It knows no more than maxOpen operations open at once.
func (d decider) compact(ops []Op) Decision {
	out := Decision{Engine: Compact}
	out.Result, out.Order, out.Why, out.Limited = d.explore(ops)
	if out.Result != porcupine.Illegal {
		return out
	}
	values := porcupine.Illegal
	if hasVersions(ops) {
		values, _, _, _ = d.explore(withoutVersions(ops))
	}
	out.name(values)
	return out
}

// tooManyOpen is why compact does not know a history.
const tooManyOpen = "more than 1024 operations are open at once"

func (d decider) explore(ops []Op) (result porcupine.CheckResult, order []uint32, why string, limited bool) {
	if err := d.ctx.Err(); err != nil {
		return porcupine.Unknown, nil, whyEnded(d.ctx), false
	}
	plan := newPlan(ops)
	switch {
	case plan.orphan():
		return porcupine.Illegal, nil, "", false
	case plan.slots <= len(narrow{})*64:
		return exploreWith[narrow](d, plan)
	case plan.slots <= len(middle{})*64:
		return exploreWith[middle](d, plan)
	case plan.slots <= len(wide{})*64:
		return exploreWith[wide](d, plan)
	default:
		return porcupine.Unknown, nil, tooManyOpen, false
	}
}

func exploreWith[M mask](
	d decider,
	plan *plan,
) (result porcupine.CheckResult, order []uint32, why string, limited bool) {
	s := newExplorer[M](d, plan)
	root := config[M]{state: s.states.id(held{})}
	for v := range s.demand.visits {
		if s.unmet(Value(v), &root, Absent, 0) {
			return porcupine.Illegal, nil, "", false
		}
	}
	s.stack = append(s.stack, frame[M]{config: root, op: -1})
	for n := 1; len(s.stack) > 0; n++ {
		top := len(s.stack) - 1
		if s.stack[top].entered {
			s.stack = s.stack[:top]
			continue
		}
		c := s.stack[top].config
		s.settle(&c, nil)
		if int(c.p) == len(plan.returns) {
			return porcupine.Ok, s.order(), "", false
		}
		if s.seen.full() || n%1024 == 1 {
			s.spent()
		}
		if s.why == "" && s.fresh(&c) && !s.hopeless(&c) {
			s.stack[top].entered = true
			s.expand(&c)
		} else {
			s.stack = s.stack[:top]
		}
		if s.why != "" {
			return porcupine.Unknown, nil, s.why, s.why == outOfMemory
		}
		if d.limits.Configs > 0 && s.seen.n > d.limits.Configs {
			return porcupine.Unknown, nil, outOfConfigs, true
		}
	}
	return porcupine.Illegal, nil, "", false
}

// frame is a configuration on the stack of a search, and how it was come to. Those that are entered lead to the one
// on top.
type frame[M mask] struct {
	config[M]
	op      int32 // what was put in place last; -1 at the root
	entered bool
}

// explorer is a search that is under way.
type explorer[M mask] struct {
	decider
	*plan
	window[M]
	states *states
	uses   *uses
	seen   configs[M]
	least  leastUses[M]
	stack  []frame[M]
	first  []uint16 // by kind: the slot of the open one that returns first
	asked  []uint32 // by kind: the step for which first is true
	step   uint32
	kinds  []uint32 // that are open
	demand demand
	chain  []uint32 // while a chain of operations in doubt is sought: its kinds, the last one first
	onPath []bool   // by value: the chain leads through it
	tried  int      // steps of such chains
	why    string   // the search was broken off
}

func newExplorer[M mask](d decider, p *plan) *explorer[M] {
	s := &explorer[M]{
		decider: d, plan: p, states: newStates(), uses: newUses(),
		first: make([]uint16, p.kinds), asked: make([]uint32, p.kinds), onPath: make([]bool, len(p.makers)),
	}
	s.window.begin(p)
	if len(p.doubts) > 0 {
		s.demand = newDemand(p)
	}
	return s
}

// spent reports whether the budget is, and remembers why.
func (s *explorer[M]) spent() bool {
	switch {
	case s.why != "":
	case s.ctx.Err() != nil:
		s.why = whyEnded(s.ctx)
	case s.limits.Memory > 0 && s.bytes()+s.seen.growth() > s.limits.Memory:
		s.why = outOfMemory
	}
	return s.why != ""
}

func (s *explorer[M]) bytes() int64 {
	return s.seen.bytes() + int64(cap(s.stack))*s.seen.size() + s.states.bytes() + s.uses.bytes() + s.least.bytes()
}

// fresh reports whether a configuration was not come to before, nor one that is as good or better.
func (s *explorer[M]) fresh(c *config[M]) bool {
	return s.seen.add(*c) && (len(s.doubts) == 0 || s.least.add(c, s.uses))
}

// settle puts in place what can only fit now, and goes on to the next return that has no place. What it puts in place
// is told to note, if that is not nil.
func (s *explorer[M]) settle(c *config[M], note func(op int32)) {
	s.seek(c.p)
	now := s.states.list[c.state]
	for {
		for n := range len(c.mask) {
			for open := left(&s.observers, &c.mask, n); open != 0; open &= open - 1 {
				slot := nextSlot(n, open)
				if after, ok := now.step(&s.ops[s.window.slots[slot]]); ok && after == now {
					set(&c.mask, slot)
					if note != nil {
						note(s.window.slots[slot])
					}
				}
			}
		}
		if int(c.p) == len(s.returns) {
			return
		}
		slot := s.slotOf[s.returns[c.p]]
		if !has(&c.mask, slot) {
			return
		}
		unset(&c.mask, slot)
		c.p++
		s.seek(c.p)
		c.used = s.uses.forget(c.used, c.p, s.lastNeed)
	}
}

// hopeless reports whether what has to return next can have no place any more.
func (s *explorer[M]) hopeless(c *config[M]) bool {
	o := &s.ops[s.returns[c.p]]
	want, observes := o.observes()
	if !observes || s.states.list[c.state].value == want {
		return false
	}
	for n := range len(c.mask) {
		for open := left(&s.taken, &c.mask, n); open != 0; open &= open - 1 {
			if v, ok := s.ops[s.window.slots[nextSlot(n, open)]].installs(); ok && v == want {
				return false
			}
		}
	}
	for _, t := range s.makers[want] {
		if s.available(c.used, t, c.p) {
			return false
		}
	}
	return true
}

// candidates returns the slots of what can come next: of each kind that is open, the one that returns first.
func (s *explorer[M]) candidates(c *config[M]) []uint32 {
	s.step++
	s.kinds = s.kinds[:0]
	for n := range len(c.mask) {
		for open := left(&s.taken, &c.mask, n); open != 0; open &= open - 1 {
			slot := nextSlot(n, open)
			op := s.window.slots[slot]
			kind := s.kindOf[op]
			switch {
			case s.asked[kind] != s.step:
				s.asked[kind], s.first[kind] = s.step, slot
				s.kinds = append(s.kinds, kind)
			case s.returnOf[op] < s.returnOf[s.window.slots[s.first[kind]]]:
				s.first[kind] = slot
			}
		}
	}
	return s.kinds
}

// expand puts on the stack what can come next; what returns first goes on top, and of that what uses least of what is
// in doubt.
func (s *explorer[M]) expand(c *config[M]) {
	from := len(s.stack)
	now := s.states.list[c.state]
	for _, kind := range s.candidates(c) {
		slot := s.first[kind]
		o := &s.ops[s.window.slots[slot]]
		if after, ok := now.step(o); ok {
			s.push(c, now, after, c.used, slot)
		} else {
			s.bridge(c, now, o, slot)
		}
	}
	slices.SortStableFunc(s.stack[from:], func(a, b frame[M]) int {
		return cmp.Or(
			cmp.Compare(s.returnOf[b.op], s.returnOf[a.op]),
			cmp.Compare(len(s.uses.list[b.used]), len(s.uses.list[a.used])),
		)
	})
}

// push adds the configuration after an operation, unless that leaves behind a value which is needed.
func (s *explorer[M]) push(c *config[M], before, after held, used uint32, slot uint16) {
	if before.value != after.value && s.needed(c, before.value, slot) {
		return
	}
	next := frame[M]{config: *c, op: s.window.slots[slot]}
	set(&next.mask, slot)
	next.state, next.used = s.states.id(after), used
	s.stack = append(s.stack, next)
}

// needed reports whether somebody beside the operation at a slot has yet to observe v, and nothing can install
// it again.
func (s *explorer[M]) needed(c *config[M], v Value, slot uint16) bool {
	if s.producers[v] != 1 {
		return false
	}
	observers := s.observersOf(v)
	for i := len(observers) - 1; i >= 0 && observers[i] >= c.p; i-- {
		op := s.returns[observers[i]]
		if s.opensAt[op] > c.p || s.slotOf[op] != slot && !has(&c.mask, s.slotOf[op]) {
			return true
		}
	}
	return false
}

// bridge pushes all ways in which operations in doubt can make o, which does not fit, fit.
func (s *explorer[M]) bridge(c *config[M], now held, o *Op, slot uint16) {
	if o.Action == Differ {
		for _, t := range s.spoilers {
			d := &s.doubts[t]
			if d.op.Value == o.Old || !s.available(c.used, t, c.p) {
				continue
			}
			if after, ok := now.step(&d.op); ok && (now.value == after.value || !s.needed(c, now.value, slot)) {
				s.push(c, after, after, s.uses.with(c.used, t), slot)
			}
		}
		return
	}
	want, observes := o.observes()
	if !observes {
		return // a write that does not fit comes too late for its version
	}
	if s.needed(c, now.value, slot) {
		return
	}
	s.lead(c, now, want, func() {
		first := now
		for _, t := range slices.Backward(s.chain) {
			first, _ = first.step(&s.doubts[t].op) // it was chosen to fit
		}
		after, ok := first.step(o)
		if !ok {
			return
		}
		used := s.uses.with(c.used, s.chain...)
		for _, t := range s.chain {
			if s.unmet(s.doubts[t].op.Value, c, want, used) {
				return
			}
		}
		s.push(c, first, after, used, slot)
	})
}

// lead finds the chains of operations in doubt that install want: a write, and compare-and-sets that build
// on it; or compare-and-sets that build on what the register holds. A chain that comes to a value twice
// is no better than one that does not.
func (s *explorer[M]) lead(c *config[M], now held, want Value, found func()) {
	if s.tried++; s.tried%1024 == 0 && s.spent() || s.why != "" {
		return // there may be as many chains as there are paths through the values
	}
	s.onPath[want] = true
	for _, t := range s.makers[want] {
		if !s.available(c.used, t, c.p) {
			continue
		}
		s.chain = append(s.chain, t)
		switch o := &s.doubts[t].op; {
		case o.Action == Write || now.value == o.Old:
			found()
		case !s.onPath[o.Old]:
			s.lead(c, now, o.Old, found)
		}
		s.chain = s.chain[:len(s.chain)-1]
	}
	s.onPath[want] = false
}

// available reports whether there is one more of a kind of operations in doubt.
func (s *explorer[M]) available(used, kind, p uint32) bool {
	calls := s.doubts[kind].opensAt
	n := s.uses.count(used, kind)
	return int(n) < len(calls) && calls[n] <= p
}

// order goes the way to the configuration on top of the stack once more, and returns the order that it is, by indices
// in the history.
func (s *explorer[M]) order() []uint32 {
	if !s.witness {
		return nil
	}
	order := make([]uint32, 0, len(s.ops))
	place := func(op int32) { order = append(order, s.places[op]) }
	s.window.begin(s.plan)
	var c config[M]
	for i := range s.stack {
		next := &s.stack[i]
		if !next.entered && i < len(s.stack)-1 {
			continue
		}
		if next.op >= 0 {
			now := s.states.list[c.state]
			for _, t := range s.uses.added(c.used, next.used, now.value, s.doubts) {
				d := &s.doubts[t]
				order = append(order, d.places[s.uses.count(c.used, t)])
			}
			place(next.op)
		}
		c = next.config
		s.settle(&c, place)
	}
	return order
}
