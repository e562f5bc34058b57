package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// sums is the checker: a sum has at least the increments that were acknowledged before it was asked for, and at most
// those that were asked for before it was answered, and did not certainly fail.
type sums struct{}

// Check implements [checkers.Checker].
func (sums) Check(_ context.Context, h *history.History) checkers.Result {
	var acknowledged, asked []time.Duration // when, in order
	for c := range h.Calls() {
		if c.F() != "add" || c.Kind() == history.Fail {
			continue
		}
		asked = append(asked, c.Begin())
		if c.Kind() == history.OK {
			acknowledged = append(acknowledged, c.End())
		}
	}
	slices.Sort(acknowledged)
	slices.Sort(asked)
	before := func(all []time.Duration, at time.Duration) int {
		n, _ := slices.BinarySearch(all, at)
		return n
	}
	checked := 0
	for c := range h.Calls() {
		if c.F() != "sum" || c.Kind() != history.OK {
			continue
		}
		said, ok := c.Answer().Numeral()
		if !ok {
			return checkers.Result{Verdict: checkers.Unknown, Why: fmt.Sprintf("event %d: a sum that is no number", c.Index())}
		}
		n := int(said)
		least, most := before(acknowledged, c.Begin()), before(asked, c.End())
		if n < least || n > most {
			return checkers.Result{Verdict: checkers.Invalid, Ops: []int{c.Index()}, Why: fmt.Sprintf(
				"at %.3f s, the sum was %d at %s, and from %d to %d is right", c.End().Seconds(), n, c.Node(), least, most)}
		}
		checked++
	}
	if checked == 0 || len(acknowledged) == 0 {
		return checkers.Result{Verdict: checkers.Unknown, Why: "no sum was had, or nothing was added: a longer run may help"}
	}
	return checkers.Result{
		Verdict: checkers.Valid,
		Why:     fmt.Sprintf("%d sums have all of %d increments", checked, len(acknowledged)),
	}
}
