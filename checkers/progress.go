package checkers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// progress vetoes runs that prove nothing: too few operations, faults that were not seen to act, a
// cluster that did not recover, a run that was cut short. It finds no violations; what it finds
// is Unknown.
type progress struct{ thresholds }

// thresholds are how many operations must have succeeded before the first fault, from then until
// the last heal, and after it.
type thresholds struct{ before, during, after int }

var defaultThresholds = thresholds{10, 10, 10}

// Check implements [Checker].
func (p progress) Check(_ context.Context, h *history.History) Result {
	unknown := func(format string, args ...any) Result {
		return Result{Verdict: Unknown, Why: fmt.Sprintf(format, args...)}
	}
	reached := map[history.Phase]history.Span{}
	for _, s := range h.Phases() {
		reached[s.Phase] = s
	}
	if _, ok := reached[history.PhaseLoad]; !ok {
		return unknown("the cluster never served, so no client called")
	}
	faults, err := h.Faults()
	if err != nil {
		return unknown("%v", err)
	}
	test, _ := h.Test()
	if len(faults) == 0 && test.Nemesis != "none" {
		return unknown("no fault was injected")
	}
	var unconfirmed []string
	first, last := history.Never, time.Duration(0)
	for _, f := range faults {
		first = min(first, f.Began)
		last = max(last, f.Healed)
		if !f.Confirmed {
			unconfirmed = append(unconfirmed, fmt.Sprintf("%s at %s (%s)", f.F, seconds(f.Began), orElse(f.Err, "no answer was recorded")))
		}
	}
	if n := len(unconfirmed); n > 0 {
		return unknown("%d of %d faults were not confirmed to act: %s", n, len(faults), strings.Join(unconfirmed[:min(n, 3)], "; "))
	}
	if exits := exitsOf(h); len(exits) > 0 {
		r := unknown("%s ended by itself at %s: look at its log", exits[0].Node, seconds(exits[0].At))
		r.Attach = attach(KindExits, exits)
		return r
	}
	if last == history.Never {
		return unknown("a fault was never healed")
	}
	if _, ok := reached[history.PhaseEnd]; !ok {
		return unknown("the run was cut short: its history ends at %s", seconds(h.End()))
	}
	final, ok := reached[history.PhaseFinal]
	if !ok {
		return unknown("the cluster did not recover after the last heal, or was not given the time to")
	}
	before, during, after, lastCalls := p.count(h, first, last, final.From)
	switch total := before + during + after; {
	case len(faults) == 0 && total < p.before+p.during+p.after:
		return unknown("only %d operations succeeded", total)
	case len(faults) == 0:
		return Result{Verdict: Valid, Why: fmt.Sprintf("%d operations succeeded; no fault was asked for", total)}
	case before < p.before:
		return unknown("only %d operations succeeded before the first fault", before)
	case during < p.during:
		return unknown("only %d operations succeeded between the first fault and the last heal", during)
	case after < p.after:
		return unknown("only %d operations succeeded after the last heal", after)
	}
	for _, node := range test.Nodes {
		if len(lastCalls) > 0 && !lastCalls[node] {
			return unknown("the last operations at %s did not all succeed", node)
		}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("%d faults, all confirmed; %d operations succeeded before, %d during and %d after them", len(faults), before, during, after)}
}

// count counts operations that succeeded, and says for each node whether the last of its last calls did:
// they are made one after the other, each until it succeeds.
func (progress) count(h *history.History, first, last, final time.Duration) (before, during, after int, lastCalls map[string]bool) {
	lastCalls = make(map[string]bool)
	for op := range h.Ops() {
		ok := op.Return.Kind == history.OK
		if op.Call.At >= final {
			lastCalls[op.Call.Node] = ok
		}
		switch {
		case !ok:
		case op.Return.At < first:
			before++
		case op.Return.At <= last:
			during++
		case op.Call.At < final:
			after++
		}
	}
	return before, during, after, lastCalls
}

func orElse(s, otherwise string) string {
	if s == "" {
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
}

func exitsOf(h *history.History) (exits []Exit) {
	for e := range history.Notes[struct{}](h, history.Observer, history.FExit) {
		exits = append(exits, Exit{e.Node, e.At, e.Index})
	}
	return exits
}
