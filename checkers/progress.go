package checkers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// progress vetoes runs that prove nothing: too few operations, faults that were not seen to act, a run that was cut
// short, data that nobody read at the end. It finds no violations; what it finds is Unknown. docs/checking.md has a
// table of all that makes a pass worth something.
type progress struct{}

// DefaultMinRate is how many calls a second must succeed while a quorum can be reached, if a run does not say.
const DefaultMinRate = 50

// Whatever the rate, so many calls must succeed before the first fault, while there are faults, and after them.
const leastCalls = 10

// electionShare is the part of the rate that is wanted between the first fault and the last heal: a quorum that can be
// reached serves only once it has elected a leader, and many faults take one away.
const electionShare = 0.2

// shortest is the time over which a rate says something.
const shortest = time.Second

// Check implements [Checker].
func (p progress) Check(_ context.Context, h *history.History) Result {
	notes := h.Notes()
	for _, veto := range []func(*history.Notes) string{broken, vetoFaults, vetoExits, vetoEnd} {
		if why := veto(notes); why != "" {
			r := Result{Verdict: Unknown, Why: why}
			if len(notes.Exits) > 0 {
				r.Attach = attach(KindExits, exitsOf(notes))
			}
			return r
		}
	}
	why, said := load(h, notes)
	if why == "" {
		why = vetoLast(h, notes)
	}
	if why != "" {
		return Result{Verdict: Unknown, Why: why}
	}
	return Result{Verdict: Valid, Why: said}
}

// broken says that a run did not come far enough to be judged.
func broken(notes *history.Notes) string {
	if _, ok := notes.Phase(history.PhaseLoad); !ok {
		return "the cluster never served, so no client called: look at the logs of its nodes, or give it more time " +
			"(--launch-timeout)"
	}
	if len(notes.Faults) == 0 && (notes.Test == nil || notes.Test.Nemesis != "none") {
		if notes.Test != nil && strings.Contains(notes.Test.Nemesis, "by-hand") {
			return "nothing was broken by hand, so the run says nothing about faults"
		}
		return "no fault was injected: a longer run (--time-limit) or shorter rests (--rest) leave time for some"
	}
	if notes.Test != nil && len(notes.Test.Nodes) == 0 {
		return "the run does not say which nodes there were, so that nobody knows whether all were looked at"
	}
	return ""
}

// enough is how many faults must have acted for one of them that did nothing, and said so, to be left out.
const enough = 3

// vetoFaults demands that faults were seen to act.
func vetoFaults(notes *history.Notes) string {
	var unconfirmed []string
	acted, nothing := 0, 0
	for _, f := range notes.Faults {
		switch {
		case f.Confirmed:
			acted++
			continue
		case f.Nothing:
			nothing++
		}
		unconfirmed = append(unconfirmed, fmt.Sprintf("%s at %s (%s)",
			quoted(f.F), seconds(f.Began), orElse(quoted(f.Err), "no answer was recorded")))
	}
	if n := len(unconfirmed); n > 0 && (n > nothing || acted < enough || n > max(1, len(notes.Faults)/10)) {
		return fmt.Sprintf("%d of %s were not confirmed to act: %s; longer faults (--hold) and more load (--rate) are "+
			"easier to confirm", n, count(len(notes.Faults), "fault"), strings.Join(unconfirmed[:min(n, 3)], "; "))
	}
	if slices.ContainsFunc(notes.Faults, func(f history.Fault) bool { return f.Healed == history.Never }) {
		return "a fault was never healed: the run did not come to its end"
	}
	return ""
}

func vetoExits(notes *history.Notes) string {
	if len(notes.Exits) == 0 {
		return ""
	}
	e := notes.Exits[0]
	why := fmt.Sprintf("%s ended by itself at %s", quoted(e.Node), seconds(e.At))
	if n := len(e.What.Log); n > 0 {
		return why + ": the last that it wrote is " + quoted(e.What.Log[n-1])
	}
	return why + ": look at its log"
}

// vetoEnd demands that the run came to its end, on a cluster that serves.
func vetoEnd(notes *history.Notes) string {
	if _, ok := notes.Phase(history.PhaseEnd); !ok {
		return "the run was cut short: let it come to its end"
	}
	if _, ok := notes.Phase(history.PhaseFinal); !ok {
		why := "the cluster did not recover after the last heal, or was not given the time to"
		if r := notes.Recovery; r != nil && r.Why != "" {
			why += ": " + quoted(r.Why)
		}
		return why
	}
	return ""
}

// load demands that enough calls succeeded: as a rate over the time in which a quorum could be reached, before the
// faults, while there are any, and after them.
func load(h *history.History, notes *history.Notes) (why, said string) {
	span, _ := notes.Phase(history.PhaseLoad)
	end := h.End()
	if recover, ok := notes.Phase(history.PhaseRecover); ok {
		end = recover.From
	}
	floor := float64(DefaultMinRate)
	if notes.Test != nil && notes.Test.MinRate > 0 {
		floor = notes.Test.MinRate
	}
	first, last := end, span.From
	// Calls before the first fault was set out for are before the faults; those while there were any are those between
	// the first that was in force and the last healing.
	inForce, healing := end, span.From
	for _, f := range notes.Faults {
		first, last = min(first, f.Began), max(last, f.Healed)
		if f.Confirmed {
			inForce, healing = min(inForce, f.InForce), max(healing, f.Healing)
		}
	}
	parts := reachable(notes, stretch{span.From, end})
	var before, during, after, served int
	again := history.Never // the first success after the last heal
	for c := range h.Calls() {
		if c.Kind() != history.OK || c.Begin() >= end || c.Begin() < span.From {
			continue
		}
		if within(parts, c.End()) {
			served++
		}
		switch at := c.End(); {
		case at < first:
			before++
		case at <= last:
			if at >= inForce && at <= healing {
				during++
			}
		default:
			after++
			again = min(again, at)
		}
	}
	quorate := length(parts, stretch{span.From, end})
	// meets says why so many calls are too few for a part of the run.
	meets := func(n int, of stretch, wanted float64, where, remedy string) string {
		time := length(parts, of)
		switch rate := float64(n) / max(time.Seconds(), 1e-9); {
		case n < leastCalls:
			return fmt.Sprintf("only %s succeeded%s, and %d are needed: %s",
				count(n, "operation"), where, leastCalls, remedy)
		case time >= shortest && rate < wanted:
			return fmt.Sprintf(
				"only %s succeeded%s in the %.1f s in which a quorum could be reached: %s a second, and %s are wanted "+
					"(--min-rate): %s",
				count(n, "operation"),
				where,
				time.Seconds(),
				short(rate),
				short(wanted),
				remedy,
			)
		}
		return ""
	}
	if len(notes.Faults) == 0 {
		if why := meets(before+during+after, stretch{span.From, end}, floor, "", moreLoad); why != "" {
			return why, ""
		}
		return "", fmt.Sprintf("%s succeeded, %s a second; no fault was asked for",
			count(before+during+after, "operation"), short(float64(before+during+after)/(end-span.From).Seconds()))
	}
	for _, why := range []string{
		meets(served, stretch{span.From, end}, floor, "", moreLoad),
		meets(before, stretch{span.From, first}, floor, " before the first fault", moreLoad),
		meets(during, stretch{inForce, healing}, electionShare*floor, " between the first fault and the last heal",
			moreLoad+", or use shorter faults (--hold)"),
		meets(after, stretch{min(again, end), end}, floor, " after the last heal", moreLoad+", or --time-limit"),
	} {
		if why != "" {
			return why, ""
		}
	}
	acted := 0
	for _, f := range notes.Faults {
		if f.Confirmed {
			acted++
		}
	}
	faults := fmt.Sprintf("%s, all confirmed", count(len(notes.Faults), "fault"))
	if acted < len(notes.Faults) {
		faults = fmt.Sprintf("%s, of which %d did nothing and are left out",
			count(len(notes.Faults), "fault"), len(notes.Faults)-acted)
	}
	return "", fmt.Sprintf(
		"%s; %d operations succeeded before, %d during and %d after them, %s a second while a quorum could be reached",
		faults,
		before,
		during,
		after,
		short(float64(served)/max(quorate.Seconds(), 1e-9)),
	)
}

// moreLoad is what to do where too few calls succeeded.
const moreLoad = "raise --rate or --clients"

// short writes a rate with three digits at the most.
func short(rate float64) string {
	if rate >= 100 {
		return fmt.Sprint(math.Round(rate))
	}
	return fmt.Sprintf("%.3g", rate)
}

// vetoLast demands that at every member, every key that was to be read at the end was.
func vetoLast(h *history.History, notes *history.Notes) string {
	final, _ := notes.Phase(history.PhaseFinal)
	type call struct{ node, f, key string }
	done := make(map[call]bool) // asked for: it succeeded
	written := make(map[string]bool)
	var order []call
	for c := range h.Calls() {
		if c.Kind() != history.Fail && !notes.ReadOnly(c.F()) {
			written[c.Key()] = true
		}
		if c.Begin() < final.From {
			continue
		}
		one := call{c.Node(), c.F(), c.Key()}
		if _, known := done[one]; !known {
			order = append(order, one)
		}
		done[one] = done[one] || c.Kind() == history.OK
	}
	nodes := notes.MembersAt(final.From)
	asked := make(map[call]bool) // by every member
	if notes.Last != nil {
		for _, c := range notes.Last.Calls {
			asked[call{"", c.F, c.Key}] = true
		}
	} else {
		for _, c := range order {
			asked[call{"", c.f, c.key}] = true
		}
	}
	if notes.Last != nil && notes.Last.Nothing {
		return ""
	}
	if len(asked) == 0 {
		return "nothing was read at the end, so that what was lost would not have been noticed"
	}
	seen := false
	for _, c := range sortedCalls(asked, func(a, b call) int { return strings.Compare(a.f+" "+a.key, b.f+" "+b.key) }) {
		seen = seen || written[c.key]
		for _, node := range nodes {
			switch ok, tried := done[call{node, c.f, c.key}]; {
			case !tried:
				return fmt.Sprintf("at the end, %s of %s was not tried at %s", quoted(c.f), named(c.key), node)
			case !ok:
				return fmt.Sprintf("at the end, %s of %s never succeeded at %s", quoted(c.f), named(c.key), node)
			}
		}
	}
	if !seen {
		return "of the keys that were read at the end, none was ever written"
	}
	return ""
}

func sortedCalls[C comparable](set map[C]bool, compare func(a, b C) int) []C {
	list := make([]C, 0, len(set))
	for c := range set {
		list = append(list, c)
	}
	slices.SortFunc(list, compare)
	return list
}

func orElse(s, otherwise string) string {
	if s == "" || s == `""` {
		return otherwise
	}
	return s
}

// KindExits attaches the nodes that ended by themselves: []Exit.
const KindExits = "exits"

// Exit is the end of a node that no fault ended.
type Exit struct {
	Node  string        `json:"node"`
	At    time.Duration `json:"at_ns"`
	Index int           `json:"index"` // of the event
	Log   []string      `json:"log,omitempty"`
}

func exitsOf(notes *history.Notes) (exits []Exit) {
	for _, e := range notes.Exits {
		exits = append(exits, Exit{e.Node, e.At, e.Index, e.What.Log})
	}
	return exits
}
