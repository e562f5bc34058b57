package checkers

import (
	"cmp"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// timeline cuts an illegal history of one key down to a part that is illegal by itself, and whose
// illegality proves that of the whole. Where the budget ends first, the part is larger than it
// need be, and no less a proof. The part is returned beside its picture.
func (s *search) timeline(key string, ops []op) (t Timeline, part []op) {
	part = ops
	if observations, _ := withoutUnobserved(ops); s.legal(observations) == Invalid {
		part = observations
	}
	part, culprit := s.shortestPrefix(part)
	part = s.shrink(part, culprit)
	t = Timeline{Key: key, Whole: len(ops)}
	for _, o := range part {
		t.Ops = append(t.Ops, TimelineOp{
			Index: o.event.Call.Index, Process: o.event.Call.Process, Node: o.event.Call.Node,
			Text: clip(o.describe(), maxText), Call: o.call, Return: o.event.Return.At, Culprit: o.event.Call.Index == culprit,
		})
	}
	slices.SortFunc(t.Ops, func(a, b TimelineOp) int { return cmp.Compare(a.Index, b.Index) })
	return t, part
}

// shortestPrefix finds the first moment at which what had happened cannot be explained, and the
// operation whose return that was. A prefix of a linearizable history is linearizable.
func (s *search) shortestPrefix(ops []op) (prefix []op, culprit int) {
	returns := slices.DeleteFunc(slices.Clone(ops), func(o op) bool { return o.ret == history.Never })
	slices.SortFunc(returns, func(a, b op) int { return cmp.Compare(a.ret, b.ret) })
	n, _ := slices.BinarySearchFunc(returns, 0, func(o op, _ int) int {
		if s.legal(upTo(ops, o.ret)) == Invalid {
			return 1
		}
		return -1
	})
	if n == len(returns) {
		return ops, -1 // undecided for want of budget
	}
	return upTo(ops, returns[n].ret), returns[n].event.Call.Index
}

// upTo returns what was known at time t: calls that had not returned by then are in doubt.
func upTo(ops []op, t time.Duration) []op {
	var known []op
	for _, o := range ops {
		if o.call > t {
			continue
		}
		if o.ret > t {
			if o.action == reads || o.action == differ {
				continue
			}
			o.ret = history.Never
		}
		known = append(known, o)
	}
	return known
}

// shrink leaves out operations, in ever smaller groups, as long as what remains is illegal and
// still proves the whole illegal.
func (s *search) shrink(ops []op, culprit int) []op {
	if s.legal(ops) != Invalid {
		return ops
	}
	for size := (len(ops) + 1) / 2; size > 0; {
		smaller := false
		for from := 0; from < len(ops); {
			to := min(from+size, len(ops))
			rest := slices.Concat(ops[:from], ops[to:])
			if hasCulprit(rest, culprit) && provable(ops, rest) && s.legal(rest) == Invalid {
				ops, smaller = rest, true
			} else {
				from = to
			}
		}
		if !smaller || size > len(ops) {
			size /= 2
		}
	}
	return ops
}

func hasCulprit(ops []op, culprit int) bool {
	return culprit < 0 || slices.ContainsFunc(ops, func(o op) bool { return o.event.Call.Index == culprit })
}

// provable says whether the illegality of rest, a part of ops, proves that of ops. Observations
// may always be left out. What installs a value may be left out if nobody in rest observes it
// (the argument of withoutUnobserved), and if nobody observes a difference either.
func provable(ops, rest []op) bool {
	observed, differs := make(map[string]bool), false
	kept := make(map[int]bool, len(rest))
	for i := range rest {
		kept[rest[i].event.Call.Index] = true
		differs = differs || rest[i].action == differ
		if v, ok := rest[i].observes(); ok {
			observed[v] = true
		}
	}
	for i := range ops {
		if kept[ops[i].event.Call.Index] {
			continue
		}
		if v, ok := ops[i].installs(); ok && (observed[v] || differs) {
			return false
		}
	}
	return true
}
