package checkers

import (
	"context"
	"fmt"

	"github.com/sunder-dev/sunder/harness/history"
)

// state checks State Machine Safety (Raft, Figure 3) as far as it shows from outside: nodes that
// have applied the same log index must report the same hash of their state.
type state struct{}

// Check implements [Checker].
func (state) Check(_ context.Context, h *history.History) Result {
	type sighting struct {
		node, hash string
		index      int
	}
	first := make(map[uint64]sighting)
	agree, settled := make(map[string]bool), h.End()
	for _, span := range h.Phases() {
		if span.Phase == history.PhaseRecover {
			settled = span.From
		}
	}
	for e, s := range history.Notes[history.Status](h, history.Observer, history.FStatus) {
		if s.Hash == "" || s.Applied == 0 {
			continue // nodes that have done nothing do not differ
		}
		known, ok := first[s.Applied]
		switch {
		case !ok:
			first[s.Applied] = sighting{e.Node, s.Hash, e.Index}
		case known.hash != s.Hash:
			return Result{
				Verdict: Invalid, Ops: []int{known.index, e.Index},
				Why: fmt.Sprintf("the nodes' states have diverged: after index %d, %s has hash %s and %s has %s", s.Applied, known.node, known.hash, e.Node, s.Hash),
			}
		case known.node != e.Node && e.At >= settled:
			agree[known.node], agree[e.Node] = true, true
		}
	}
	if len(agree) == 0 {
		return Result{Verdict: Unknown, Why: "after the last heal, no two nodes were seen at the same applied index: there is nothing to compare"}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("at the same applied index, nodes were always in the same state; %d of them agree at the end", len(agree))}
}
