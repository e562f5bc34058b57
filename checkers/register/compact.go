package register

import (
	"context"
	"math/bits"
	"slices"

	"github.com/anishathalye/porcupine"
)

// config is how far a search has come. Everything that returned before the p-th return has its place in
// the order; of what is open there, mask says by slot what has its place too.
type config struct {
	mask  uint64
	p     uint32
	state uint32 // what the register holds
	used  uint32 // which operations in doubt took effect
}

// compact decides by a search for an order, as porcupine does (Wing and Gong, 1993; Lowe, 2017), over
// configurations that say only what the rest of the search depends on. It keeps them few by four rules,
// each of which leaves out only orders of which another one is left:
//
//   - What observes, and fits, is put in place at once: later it can fit no better.
//   - An operation in doubt is used only right before one that would not fit without it. Any other use can
//     be moved to the end, where nobody sees it.
//   - Of equal operations in doubt, the one that was called first is used first.
//   - A value that somebody must still observe, and that nothing else will install, is not replaced; and
//     what has to return next must be able to.
//
// It knows no more than 64 operations open at once.
func compact(ctx context.Context, ops []Op, limits Limits) Decision {
	d := Decision{Engine: Compact}
	d.Result, d.Why, d.Limited = explore(ctx, ops, limits)
	if d.Result != porcupine.Illegal {
		return d
	}
	values := porcupine.Illegal
	if hasVersions(ops) {
		values, _, _ = explore(ctx, withoutVersions(ops), limits)
	}
	d.name(values)
	return d
}

// tooManyOpen is why compact does not know a history.
const tooManyOpen = "more than 64 operations are open at once"

func explore(ctx context.Context, ops []Op, limits Limits) (result porcupine.CheckResult, why string, limited bool) {
	plan, ok := newPlan(ops)
	if !ok {
		return porcupine.Unknown, tooManyOpen, false
	}
	s := explorer{plan: plan, states: newStates(), uses: newUses(), window: newWindow(plan), limits: limits, ctx: ctx}
	s.stack = append(s.stack, config{state: s.states.id(held{})})
	for n := 1; len(s.stack) > 0; n++ {
		c := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		s.settle(&c)
		if int(c.p) == len(plan.returns) {
			return porcupine.Ok, "", false
		}
		if s.seen.full() || n%1024 == 1 {
			s.spent()
		}
		if s.why == "" && s.seen.add(c) && !s.hopeless(&c) {
			s.expand(&c)
		}
		if s.why != "" {
			return porcupine.Unknown, s.why, s.why == outOfMemory
		}
		if limits.Configs > 0 && s.seen.n > limits.Configs {
			return porcupine.Unknown, outOfConfigs, true
		}
	}
	return porcupine.Illegal, "", false
}

// explorer is a search that is under way.
type explorer struct {
	*plan
	window
	states *states
	uses   *uses
	seen   configs
	stack  []config
	path   []Value // while a chain of operations in doubt is sought: what it leads through
	tried  int     // steps of such chains
	limits Limits
	ctx    context.Context
	why    string // the search was broken off
}

// spent reports whether the budget is, and remembers why.
func (s *explorer) spent() bool {
	switch {
	case s.why != "":
	case s.ctx.Err() != nil:
		s.why = whyEnded(s.ctx)
	case s.limits.Memory > 0 && s.bytes()+s.seen.growth() > s.limits.Memory:
		s.why = outOfMemory
	}
	return s.why != ""
}

func (s *explorer) bytes() int64 {
	return s.seen.bytes() + int64(cap(s.stack))*24 + s.states.bytes() + s.uses.bytes()
}

// settle puts in place what can only fit now, and goes on to the next return that has no place.
func (s *explorer) settle(c *config) {
	s.seek(c.p)
	now := s.states.list[c.state]
	for {
		for open := s.observers &^ c.mask; open != 0; open &= open - 1 {
			slot := bits.TrailingZeros64(open)
			if after, ok := now.step(&s.ops[s.slots[slot]]); ok && after == now {
				c.mask |= 1 << slot
			}
		}
		if int(c.p) == len(s.returns) {
			return
		}
		bit := uint64(1) << s.slotOf[s.returns[c.p]]
		if c.mask&bit == 0 {
			return
		}
		c.mask &^= bit
		c.p++
		s.seek(c.p)
		c.used = s.uses.forget(c.used, c.p, s.lastNeed)
	}
}

// hopeless reports whether what has to return next can have no place any more.
func (s *explorer) hopeless(c *config) bool {
	o := &s.ops[s.returns[c.p]]
	want, observes := o.observes()
	if !observes || s.states.list[c.state].value == want {
		return false
	}
	for open := s.taken &^ c.mask; open != 0; open &= open - 1 {
		if v, ok := s.ops[s.slots[bits.TrailingZeros64(open)]].installs(); ok && v == want {
			return false
		}
	}
	for _, t := range s.makers[want] {
		if s.available(c.used, t, c.p) {
			return false
		}
	}
	return true
}

// expand puts on the stack what can come next; what returns first goes on top.
func (s *explorer) expand(c *config) {
	from := len(s.stack)
	now := s.states.list[c.state]
	for open := s.taken &^ c.mask; open != 0; open &= open - 1 {
		slot := bits.TrailingZeros64(open)
		o := &s.ops[s.slots[slot]]
		if after, ok := now.step(o); ok {
			s.push(c, now, after, c.used, 1<<slot)
		} else {
			s.bridge(c, now, o, 1<<slot)
		}
	}
	next := s.stack[from:]
	for i := 1; i < len(next); i++ {
		for j := i; j > 0 && s.urgency(next[j], c.mask) > s.urgency(next[j-1], c.mask); j-- {
			next[j], next[j-1] = next[j-1], next[j]
		}
	}
}

// urgency is the number of the return that a configuration was made for.
func (s *explorer) urgency(c config, before uint64) uint32 {
	return s.returnOf[s.slots[bits.TrailingZeros64(c.mask&^before)]]
}

// push adds the configuration after an operation, unless that leaves behind a value which is needed.
func (s *explorer) push(c *config, before, after held, used uint32, bit uint64) {
	if before.value != after.value && s.needed(c, before.value, bit) {
		return
	}
	s.stack = append(s.stack, config{mask: c.mask | bit, p: c.p, state: s.states.id(after), used: used})
}

// needed reports whether somebody beside the operation at bit has yet to observe v, and nothing can install
// it again.
func (s *explorer) needed(c *config, v Value, bit uint64) bool {
	if s.producers[v] != 1 {
		return false
	}
	observers := s.observersOf(v)
	for i := len(observers) - 1; i >= 0 && observers[i] >= c.p; i-- {
		op := s.returns[observers[i]]
		if s.opensAt[op] > c.p || (c.mask|bit)&(1<<s.slotOf[op]) == 0 {
			return true
		}
	}
	return false
}

// bridge pushes all ways in which operations in doubt can make o, which does not fit, fit.
func (s *explorer) bridge(c *config, now held, o *Op, bit uint64) {
	if o.Action == Differ {
		for _, t := range s.spoilers {
			d := &s.doubts[t]
			if d.op.Value == o.Old || !s.available(c.used, t, c.p) {
				continue
			}
			if after, ok := now.step(&d.op); ok && (now.value == after.value || !s.needed(c, now.value, bit)) {
				s.push(c, after, after, s.uses.with(c.used, t), bit)
			}
		}
		return
	}
	want, observes := o.observes()
	if !observes {
		return // a write that does not fit comes too late for its version
	}
	s.path = s.path[:0]
	s.lead(c, now, want, c.used, func(first held, used uint32) {
		if after, ok := first.step(o); ok && !s.needed(c, now.value, bit) {
			s.push(c, first, after, used, bit)
		}
	})
}

// lead finds the chains of operations in doubt that install want: a write, and compare-and-sets that build
// on it; or compare-and-sets that build on what the register holds. A chain that comes to a value twice
// is no better than one that does not.
func (s *explorer) lead(c *config, now held, want Value, used uint32, found func(held, uint32)) {
	if s.tried++; s.tried%1024 == 0 && s.spent() || s.why != "" {
		return // there may be as many chains as there are paths through the values
	}
	s.path = append(s.path, want)
	for _, t := range s.makers[want] {
		if !s.available(used, t, c.p) {
			continue
		}
		o, with := &s.doubts[t].op, s.uses.with(used, t)
		then := func(before held, used uint32) {
			after, _ := before.step(o)
			found(after, used)
		}
		switch {
		case o.Action == Write || now.value == o.Old:
			then(now, with)
		case !slices.Contains(s.path, o.Old):
			s.lead(c, now, o.Old, with, then)
		}
	}
	s.path = s.path[:len(s.path)-1]
}

// available reports whether there is one more of a kind of operations in doubt.
func (s *explorer) available(used, kind, p uint32) bool {
	calls := s.doubts[kind].opensAt
	n := s.uses.count(used, kind)
	return int(n) < len(calls) && calls[n] <= p
}
