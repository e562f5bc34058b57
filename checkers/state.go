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
	compared := 0
	for e, s := range history.Notes[history.Status](h, history.Observer, history.FStatus) {
		if s.Hash == "" {
			continue
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
		case known.node != e.Node:
			compared++
		}
	}
	if compared == 0 {
		return Result{Verdict: Unknown, Why: "no two nodes were ever seen at the same applied index: there is nothing to compare"}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("%d times two nodes were seen at the same applied index, always in the same state", compared)}
}
