package checkers

import (
	"context"
	"fmt"
	"time"

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

// KindStates attaches the hashes of nodes whose states have diverged: []Sighting.
const KindStates = "states"

// Sighting is a node's hash of its state.
type Sighting struct {
	Node  string        `json:"node"`
	Place string        `json:"place"` // "index 6"
	Hash  string        `json:"hash"`
	At    time.Duration `json:"at_ns"`
	Index int           `json:"index"` // of the event
}

// Check implements [Checker].
func (state) Check(_ context.Context, h *history.History) Result {
	settled := h.End()
	for _, span := range h.Phases() {
		if span.Phase == history.PhaseRecover {
			settled = span.From
		}
	}
	first := make(map[place]Sighting)
	agree := make(map[string]bool)
	// see takes one node's word, and returns it with the one that it differs from.
	see := func(p place, e history.Event, hash string) []Sighting {
		now := Sighting{e.Node, fmt.Sprintf("%s %d", p.of, p.at), hash, e.At, e.Index}
		known, ok := first[p]
		switch {
		case !ok:
			first[p] = now
		case known.Hash != hash:
			return []Sighting{known, now}
		case known.Node != e.Node && e.At >= settled:
			agree[known.Node], agree[e.Node] = true, true
		}
		return nil
	}
	for e, s := range history.Notes[history.Status](h, history.Observer, history.FStatus) {
		if s.Hash == "" || s.Applied == 0 {
			continue // nodes that have done nothing do not differ
		}
		if differ := see(place{of: "index", at: s.Applied}, e, s.Hash); differ != nil {
			return diverged(differ[0], differ[1])
		}
	}
	for e, s := range history.Notes[history.Hash](h, history.Observer, history.FHash) {
		if differ := see(place{of: "revision", at: s.Revision, since: s.Since}, e, s.Sum); differ != nil {
			return diverged(differ[0], differ[1])
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

func diverged(a, b Sighting) Result {
	return Result{
		Verdict: Invalid, Ops: []int{a.Index, b.Index}, Attach: attach(KindStates, []Sighting{a, b}),
		Why: fmt.Sprintf("the nodes' states have diverged: at %s, %s has hash %s and %s has %s", a.Place, a.Node, clip(a.Hash, maxText), b.Node, clip(b.Hash, maxText)),
	}
}
