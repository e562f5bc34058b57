package checkers

import (
	"context"
	"fmt"

	"github.com/sunder-dev/sunder/harness/history"
)

// state checks State Machine Safety (Raft, Figure 3) as far as it shows from outside: nodes that
// have applied the same log index, or are at the same revision, must report the same hash of their
// state.
type state struct{}

// place is where in the target's order of things a state was hashed.
type place struct {
	of    string // what is counted
	at    uint64
	since int64 // how far the past is forgotten
}

// sighting is a node's hash of its state.
type sighting struct {
	node, hash string
	index      int // of the event
}

// Check implements [Checker].
func (state) Check(_ context.Context, h *history.History) Result {
	settled := h.End()
	for _, span := range h.Phases() {
		if span.Phase == history.PhaseRecover {
			settled = span.From
		}
	}
	first := make(map[place]sighting)
	agree := make(map[string]bool)
	// see takes one node's word and returns what it differs from.
	see := func(p place, e history.Event, hash string) *sighting {
		known, ok := first[p]
		switch {
		case !ok:
			first[p] = sighting{e.Node, hash, e.Index}
		case known.hash != hash:
			return &known
		case known.node != e.Node && e.At >= settled:
			agree[known.node], agree[e.Node] = true, true
		}
		return nil
	}
	for e, s := range history.Notes[history.Status](h, history.Observer, history.FStatus) {
		if s.Hash == "" || s.Applied == 0 {
			continue // nodes that have done nothing do not differ
		}
		p := place{of: "index", at: s.Applied}
		if other := see(p, e, s.Hash); other != nil {
			return diverged(p, *other, sighting{e.Node, s.Hash, e.Index})
		}
	}
	for e, s := range history.Notes[history.Hash](h, history.Observer, history.FHash) {
		p := place{of: "revision", at: s.Revision, since: s.Since}
		if other := see(p, e, s.Sum); other != nil {
			return diverged(p, *other, sighting{e.Node, s.Sum, e.Index})
		}
	}
	if len(agree) == 0 {
		return Result{Verdict: Unknown, Why: "after the last heal, no two nodes were seen at the same place of their logs: there is nothing to compare"}
	}
	test, _ := h.Test()
	for _, node := range test.Nodes {
		if !agree[node] {
			return Result{Verdict: Unknown, Why: fmt.Sprintf("after the last heal, %s was not seen at the same place of its log as others: its state was compared with none", node)}
		}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("at the same place of their logs, nodes were always in the same state; all %d agree at the end", len(agree))}
}

func diverged(p place, a, b sighting) Result {
	return Result{
		Verdict: Invalid, Ops: []int{a.index, b.index},
		Why: fmt.Sprintf("the nodes' states have diverged: at %s %d, %s has hash %s and %s has %s", p.of, p.at, a.node, clip(a.hash, maxText), b.node, clip(b.hash, maxText)),
	}
}
