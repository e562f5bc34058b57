package register

import (
	"context"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/sunder-dev/sunder/checkers/ddmin"
)

// Proof is a small part of an illegal history that is illegal by itself, and so proves it of the whole.
//
// Whether it is one is for package referee to say. It is made by steps that never make a legal history illegal: what
// happened later is forgotten, and so are observations, and whatever installs a value that nobody is left to observe.
// A compare-and-set may count as the write or as the read that is in it.
type Proof struct {
	// Ops are in the order of their calls. What had not returned when Last did is in doubt.
	Ops []Op
	// Last is the ID of the operation with whose return the history became illegal.
	Last uint32
}

// Prove cuts a history that d says is illegal down to what shows it. If its context ends first, the
// proof is larger than it need be, and no less a proof.
func Prove(ctx context.Context, ops []Op, d Decision, limits Limits) Proof {
	ops = judged(ops, d)
	m := minimizer{ctx: ctx, limits: limits}
	known := named(m.firstIllegal(ops, d), ops)
	part := m.fewerValues(renumber(known))
	part = m.fewerOps(part)
	part = m.withOrigins(named(part, ops), known)
	byCall(part)
	p := Proof{Ops: part}
	last := int64(always)
	for _, o := range part {
		if !o.inDoubt() && o.Return >= last {
			last, p.Last = o.Return, o.ID
		}
	}
	return p
}

// judged returns what of a history its decision rests on.
func judged(ops []Op, d Decision) []Op {
	if !d.ByValue {
		return ops
	}
	// What may have put in place what was there is not needed by any order.
	return slices.DeleteFunc(
		withoutVersions(ops),
		func(o Op) bool { return o.inDoubt() && o.Action == Swap && o.Old == o.Value },
	)
}

// minimizer cuts histories down.
type minimizer struct {
	ctx    context.Context
	limits Limits
}

func (m *minimizer) decide(ops []Op) Decision {
	if m.ctx.Err() != nil {
		return Decision{Result: porcupine.Unknown}
	}
	return decider{ctx: m.ctx, limits: m.limits}.auto(ops)
}

func (m *minimizer) illegal(ops []Op) bool { return m.decide(ops).Result == porcupine.Illegal }

// firstIllegal returns what was known at the first moment at which the history was illegal, as far as the
// engine says what the trouble is about. A prefix of a linearizable history is linearizable.
func (m *minimizer) firstIllegal(ops []Op, d Decision) []Op {
	var returns []int64
	for i := range ops {
		if !ops[i].inDoubt() {
			returns = append(returns, ops[i].Return)
		}
	}
	slices.Sort(returns)
	returns = slices.Compact(returns)
	legal, illegal := -1, len(returns)-1
	var part []Op // the operations on the values in conflict, if the engine names them
	// found takes note of a conflict in what was known at a moment. It may have been there before.
	found := func(known []Op, at int, conflict []Value) {
		illegal, part = at, nil
		if conflict == nil {
			return
		}
		few := renumber(project(withoutDifferences(known), conflict))
		if !m.illegal(few) {
			return
		}
		low := legal
		for illegal-low > 1 {
			if middle := (low + illegal) / 2; m.illegal(upTo(few, returns[middle])) {
				illegal = middle
			} else {
				low = middle
			}
		}
		part = upTo(few, returns[illegal])
	}
	found(ops, illegal, d.conflict)
	// Just before the first moment that is known there is nothing wrong, if there is one thing wrong only.
	for before := part != nil; illegal-legal > 1; before = !before && part != nil {
		probe := (legal + illegal) / 2
		if before {
			probe = illegal - 1
		}
		known := upTo(ops, returns[probe])
		if d := m.decide(known); d.Result == porcupine.Illegal {
			found(known, probe, d.conflict)
		} else {
			legal = probe
		}
	}
	if part == nil && illegal >= 0 {
		part = upTo(ops, returns[illegal])
	}
	return part
}

// upTo returns what was known at a moment: what had not returned by then is in doubt.
func upTo(ops []Op, t int64) []Op {
	known := make([]Op, 0, len(ops))
	for _, o := range ops {
		if o.Call > t {
			continue
		}
		if o.Return > t {
			if _, installs := o.installs(); !installs {
				continue
			}
			o.Return, o.Version = Never, 0
		}
		known = append(known, o)
	}
	return known
}

// project returns the operations on some of the values. There must be no differences.
func project(ops []Op, keep []Value) []Op {
	kept := make([]bool, values(ops))
	for _, v := range keep {
		if int(v) < len(kept) {
			kept[v] = true
		}
	}
	var part []Op
	for _, o := range ops {
		switch found, installed := kept[o.Old], kept[o.Value]; {
		case o.Action != Swap:
			if installed {
				part = append(part, o)
			}
		case found && installed:
			part = append(part, o)
		case installed:
			part = append(part, asWrite(o))
		case found && !o.inDoubt():
			part = append(part, asRead(o))
		}
	}
	return part
}

// asWrite is what is left of a compare-and-set if nothing is said of what it found.
func asWrite(o Op) Op { o.Action, o.Old = Write, Absent; return o }

// asRead is what is left of a compare-and-set if nothing is said of what it installed.
func asRead(o Op) Op { o.Action, o.Value, o.Old, o.Version = Read, o.Old, Absent, 0; return o }

// fewerValues leaves out values, with all that happened to them.
func (m *minimizer) fewerValues(ops []Op) []Op {
	if rest := withoutDifferences(ops); len(rest) < len(ops) {
		if !m.illegal(rest) {
			return ops
		}
		ops = rest
	}
	all := make([]Value, values(ops))
	for v := range all {
		all[v] = Value(v)
	}
	kept := ddmin.Minimize(m.ctx, len(all), func(keep []int) bool { return m.illegal(project(ops, pick(all, keep))) })
	return project(ops, pick(all, kept))
}

// fewerObservations leaves out what only observes. That may always be done, and with it goes most of what stands in
// the way of leaving out the rest.
func (m *minimizer) fewerObservations(ops []Op) []Op {
	var observers []int
	for i, o := range ops {
		if _, installs := o.installs(); !installs {
			observers = append(observers, i)
		}
	}
	without := func(keep []int) []Op {
		kept := make([]bool, len(ops))
		for _, k := range keep {
			kept[observers[k]] = true
		}
		var rest []Op
		for i, o := range ops {
			if _, installs := o.installs(); installs || kept[i] {
				rest = append(rest, o)
			}
		}
		return rest
	}
	ops = without(ddmin.Minimize(m.ctx, len(observers), func(keep []int) bool { return m.illegal(without(keep)) }))
	plain := slices.Clone(ops)
	for i, o := range plain {
		if o.Action == Swap {
			plain[i] = asWrite(o)
		}
	}
	if m.illegal(plain) {
		return plain // none of them matters for what it found
	}
	return ops
}

// fewerOps leaves out operations, and parts of compare-and-sets.
func (m *minimizer) fewerOps(ops []Op) []Op {
	byCall(ops)
	all := ops
	ops = m.fewerObservations(ops)
	for {
		kept := ddmin.Minimize(m.ctx, len(ops), func(keep []int) bool {
			rest := pick(ops, keep)
			return provable(all, rest) && m.illegal(rest)
		})
		size := len(ops)
		ops = pick(ops, kept)
		for i, o := range ops {
			if o.Action != Swap || m.ctx.Err() != nil {
				continue
			}
			weaker := []Op{asWrite(o)}
			if !o.inDoubt() {
				weaker = append(weaker, asRead(o))
			}
			for _, w := range weaker {
				rest := slices.Clone(ops)
				rest[i] = w
				if provable(all, rest) && m.illegal(rest) {
					ops, size = rest, -1
					break
				}
			}
		}
		if len(ops) == size || m.ctx.Err() != nil {
			return ops
		}
	}
}

// withOrigins adds what installed the values that are observed, where that is not said: it proves nothing,
// but it tells a reader where the value came from.
func (m *minimizer) withOrigins(part, known []Op) []Op {
	installed := make(map[Value]bool)
	for _, o := range part {
		if v, ok := o.installs(); ok {
			installed[v] = true
		}
	}
	for _, o := range slices.Clone(part) {
		v, ok := o.observes()
		if !ok || v == Absent || installed[v] {
			continue
		}
		installed[v] = true
		origin := -1
		for i := range known {
			if w, ok := known[i].installs(); ok && w == v && known[i].Call <= o.Return &&
				(origin < 0 || known[i].Call > known[origin].Call) {
				origin = i
			}
		}
		if origin < 0 || slices.ContainsFunc(part, func(o Op) bool { return o.ID == known[origin].ID }) {
			continue
		}
		if more := append(slices.Clone(part), asWrite(known[origin])); m.illegal(renumber(more)) {
			part = more
		}
	}
	return part
}

func pick[T any](all []T, keep []int) []T {
	list := make([]T, len(keep))
	for i, k := range keep {
		list[i] = all[k]
	}
	return list
}

// renumber gives the values small numbers.
func renumber(ops []Op) []Op {
	ops = slices.Clone(ops)
	names := map[Value]Value{Absent: Absent}
	name := func(v *Value) {
		n, ok := names[*v]
		if !ok {
			n = Value(len(names))
			names[*v] = n
		}
		*v = n
	}
	for i := range ops {
		name(&ops[i].Value)
		name(&ops[i].Old)
	}
	return ops
}

// named gives the values of a part of a history their own numbers again.
func named(part, ops []Op) []Op {
	at := make(map[uint32]int, len(part))
	for i, o := range part {
		at[o.ID] = i
	}
	for _, o := range ops {
		i, ok := at[o.ID]
		if !ok {
			continue
		}
		switch p := &part[i]; p.Action {
		case o.Action:
			p.Value, p.Old = o.Value, o.Old
		case Write:
			p.Value = o.Value
		default: // a compare-and-set that counts as a read
			p.Value = o.Old
		}
	}
	return part
}
