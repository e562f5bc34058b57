package checkers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// recovery checks that a cluster that is whole serves: once the last fault is healed, the network is whole and all
// members are up, it must do so within a stated time. It is the one promise of liveness: what is asked of a cluster
// while it is broken depends on how. A machine that had no time for the cluster excuses it.
type recovery struct{}

// DefaultRecoverWithin is how soon a whole cluster must serve, if a run does not say.
const DefaultRecoverWithin = 30 * time.Second

// grace is how much later than the bound the controller may come to say that the members agreed within it: it looks
// at their containers in between.
const grace = 10 * time.Second

// KindAvailability attaches how well a run was served: an [Availability].
const KindAvailability = "availability"

// Availability is how well a run was served. Times that never came are left out.
type Availability struct {
	// Longest is the longest time under load without a call that succeeded, and From when it began.
	Longest time.Duration `json:"longest_ns"`
	From    time.Duration `json:"longest_from_ns"`
	// AfterFault, AfterHeal and NewLeader are how long it took, from a fault being in force until the next success, from
	// a heal until the success of a call that began after it, and from a fault to the first claim to a new term while it
	// was in force.
	AfterFault Spread `json:"after_fault"`
	AfterHeal  Spread `json:"after_heal"`
	NewLeader  Spread `json:"new_leader"`
}

// Spread is the median and the greatest of some times, and of how many.
type Spread struct {
	N      int           `json:"n"`
	Median time.Duration `json:"median_ns"`
	Most   time.Duration `json:"most_ns"`
}

func spreadOf(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	return Spread{len(times), times[len(times)/2], times[len(times)-1]}
}

// Check implements [Checker].
func (recovery) Check(_ context.Context, h *history.History) Result {
	notes := h.Notes()
	span, ok := notes.Phase(history.PhaseLoad)
	if !ok {
		return Result{Verdict: Unknown, Why: "the cluster never served, so that there was nothing to recover"}
	}
	served, again := successes(h, span.From)
	end := h.End()
	if p, ok := notes.Phase(history.PhaseRecover); ok {
		end = p.From
	}
	a := availability(notes, served, again, stretch{span.From, end})
	r := judgeRecovery(h, notes, again, end)
	r.Attach = attach(KindAvailability, a)
	if r.Verdict == Valid {
		r.Why += fmt.Sprintf("; the longest time without a success was %s, from %s on", seconds(a.Longest), seconds(a.From))
	}
	return r
}

func judgeRecovery(h *history.History, notes *history.Notes, again []reply, loadEnd time.Duration) Result {
	unknown := func(format string, args ...any) Result {
		return Result{Verdict: Unknown, Why: fmt.Sprintf(format, args...)}
	}
	whole := time.Duration(0) // since when
	for _, f := range notes.Faults {
		if f.Healed == history.Never {
			return unknown("%s at %s was never healed, so that the cluster was not whole", quoted(f.F), seconds(f.Began))
		}
		whole = max(whole, f.Healed)
	}
	if span, _ := notes.Phase(history.PhaseLoad); len(notes.Faults) == 0 {
		whole = span.From
	}
	if len(notes.Exits) > 0 {
		return unknown("%s ended by itself, so that not all members were up", quoted(notes.Exits[0].Node))
	}
	bound := DefaultRecoverWithin
	if notes.Test != nil && notes.Test.RecoverWithin > 0 {
		bound = notes.Test.RecoverWithin
	}
	first := firstAfter(again, whole)
	late := func(format string, args ...any) Result {
		why := fmt.Sprintf(format, args...)
		if starved := Starved(h); starved != "" {
			return unknown("%s, but %s", why, starved)
		}
		return Result{Verdict: Invalid, Why: why}
	}
	switch {
	case first == history.Never && loadEnd-whole >= bound:
		return late(
			"the cluster does not serve: for %s after the last heal (%s), with the network whole and all members up, no "+
				"call succeeded; %s is the bound (--recover-timeout)",
			seconds(loadEnd-whole),
			seconds(whole),
			bound,
		)
	case first != history.Never && first-whole > bound:
		return late(
			"the cluster was slow to serve: the first call succeeded %s after the last heal (%s), with the network whole "+
				"and all members up; %s is the bound (--recover-timeout)",
			seconds(first-whole),
			seconds(whole),
			bound,
		)
	}
	final, served := notes.Phase(history.PhaseFinal)
	recovering, _ := notes.Phase(history.PhaseRecover)
	switch {
	case served && notes.Recovery != nil && !notes.Recovery.Served:
		return unknown("the run says that the cluster does not recover (%s), and went on as if it had",
			quoted(notes.Recovery.Why))
	case served && final.From-max(whole, recovering.From)-grace > bound:
		return late(
			"the cluster was slow to recover: its members agreed on a leader %s after the last heal (%s), with the "+
				"network whole and all members up; %s is the bound (--recover-timeout)",
			seconds(final.From-whole),
			seconds(whole),
			bound,
		)
	case !served && notes.Recovery == nil:
		return unknown("the run ended before it was seen whether the cluster recovers")
	case !served && h.End()-whole < bound:
		return unknown("the run ended %s after the last heal, sooner than the cluster had to recover", seconds(h.End()-whole))
	case !served:
		return late(
			"the cluster does not recover: %s after the last heal (%s), with the network whole and all members up, %s; %s "+
				"is the bound (--recover-timeout)",
			seconds(h.End()-whole),
			seconds(whole),
			quoted(notes.Recovery.Why),
			bound,
		)
	case first == history.Never:
		return unknown("no call succeeded after the last heal; the members agreed on a leader at %s", seconds(final.From))
	}
	if len(notes.Faults) == 0 {
		return Result{Verdict: Valid, Why: fmt.Sprintf("nothing was broken, and the first call succeeded after %s",
			seconds(first-whole))}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("after the last heal the first call succeeded within %s",
		seconds(first-whole))}
}

// reply is a call that succeeded.
type reply struct{ began, ended time.Duration }

// successes returns the times at which calls succeeded, in order, and the calls by their beginnings.
func successes(h *history.History, from time.Duration) (ends []time.Duration, calls []reply) {
	for c := range h.Calls() {
		if c.Kind() == history.OK && c.End() >= from {
			ends = append(ends, c.End())
			calls = append(calls, reply{c.Begin(), c.End()})
		}
	}
	slices.Sort(ends)
	// From here on, the first end of all that began at that time or later.
	for i := len(calls) - 2; i >= 0; i-- {
		calls[i].ended = min(calls[i].ended, calls[i+1].ended)
	}
	return ends, calls
}

// firstAfter returns when the first call succeeded of those that began at a time or later.
func firstAfter(calls []reply, t time.Duration) time.Duration {
	i, _ := slices.BinarySearchFunc(calls, t, func(c reply, t time.Duration) int { return cmp.Compare(c.began, t) })
	if i == len(calls) {
		return history.Never
	}
	return calls[i].ended
}

// availability measures how well a run was served under load.
func availability(notes *history.Notes, served []time.Duration, again []reply, span stretch) (a Availability) {
	last := span.from
	for _, t := range append(slices.Clone(served), span.to) {
		if t = min(t, span.to); t-last > a.Longest {
			a.Longest, a.From = t-last, last
		}
		last = max(last, t)
	}
	var afterFault, afterHeal, elected []time.Duration
	elections := Elections(notes)
	for _, f := range notes.Faults {
		if f.Confirmed {
			if i, _ := slices.BinarySearch(served, f.InForce); i < len(served) {
				afterFault = append(afterFault, served[i]-f.InForce)
			}
			if t, ok := NewLeader(elections, f, nil); ok {
				elected = append(elected, t)
			}
		}
		if f.Healed != history.Never {
			if t := firstAfter(again, f.Healed); t != history.Never {
				afterHeal = append(afterHeal, t-f.Healed)
			}
		}
	}
	a.AfterFault, a.AfterHeal, a.NewLeader = spreadOf(afterFault), spreadOf(afterHeal), spreadOf(elected)
	return a
}

// Elections returns the claims to terms that are higher than all before, but for the first.
func Elections(notes *history.Notes) (won []history.Said[history.Claim]) {
	highest := uint64(0)
	for _, c := range notes.Claims {
		if c.What.Term > highest {
			if highest > 0 {
				won = append(won, c)
			}
			highest = c.What.Term
		}
	}
	return won
}

// NewLeader returns how long after a fault was in force a node that it did not take away won one of all elections, if
// one did before it was healed.
func NewLeader(all []history.Said[history.Claim], f history.Fault, taken []string) (time.Duration, bool) {
	i, _ := slices.BinarySearchFunc(
		all,
		f.InForce,
		func(e history.Said[history.Claim], t time.Duration) int { return cmp.Or(cmp.Compare(e.At, t), -1) },
	)
	for ; i < len(all) && all[i].At < f.Healing; i++ {
		if !slices.Contains(taken, all[i].Node) {
			return all[i].At - f.InForce, true
		}
	}
	return 0, false
}
