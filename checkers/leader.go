package checkers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// leader checks Election Safety (Raft, Figure 3): at most one leader in a term. Leaders of
// different terms at the same time are no violation; that is what terms are for.
type leader struct{}

// Claim is a node's claim to a term, as the checker attaches it.
type Claim struct {
	Node   string        `json:"node"`
	Term   uint64        `json:"term"`
	At     time.Duration `json:"at_ns"`
	Source string        `json:"source"`
	Index  int           `json:"index"` // of the event
}

// KindClaims attaches the claims to the terms that have more than one leader: []Claim.
const KindClaims = "claims"

// Check implements [Checker].
func (leader) Check(_ context.Context, h *history.History) Result {
	terms := claims(h)
	if len(terms) == 0 {
		return Result{Verdict: Unknown, Why: "no node ever claimed to lead: there is nothing to check"}
	}
	var split []uint64
	var evidence []Claim
	for term, nodes := range terms {
		if len(nodes) > 1 {
			split = append(split, term)
		}
	}
	if len(split) == 0 {
		return Result{Verdict: Valid, Why: fmt.Sprintf("%d terms had a leader, and none had two", len(terms))}
	}
	slices.Sort(split)
	for _, term := range split {
		evidence = append(evidence, ordered(terms[term])...)
	}
	var ops []int
	for _, c := range ordered(terms[split[0]]) {
		ops = append(ops, c.Index)
	}
	why := sentence(split[0], ordered(terms[split[0]]))
	if more := len(split) - 1; more > 0 {
		why += fmt.Sprintf("; so have %d more terms", more)
	}
	return Result{Verdict: Invalid, Why: why, Ops: ops, Attach: attach(KindClaims, evidence)}
}

// claims returns, for each term, the best claim of each node to it: its own log's before its
// status', the first before later ones.
func claims(h *history.History) map[uint64]map[string]Claim {
	terms := make(map[uint64]map[string]Claim)
	for e, c := range history.Notes[history.Claim](h, history.Observer, history.FClaim) {
		if c.Term == 0 {
			continue // no election has a term below 1
		}
		nodes := terms[c.Term]
		if nodes == nil {
			nodes = make(map[string]Claim)
			terms[c.Term] = nodes
		}
		if old, known := nodes[e.Node]; !known || (old.Source != "log" && c.Source == "log") {
			nodes[e.Node] = Claim{Node: e.Node, Term: c.Term, At: e.At, Source: c.Source, Index: e.Index}
		}
	}
	return terms
}

func ordered(nodes map[string]Claim) []Claim {
	list := make([]Claim, 0, len(nodes))
	for _, c := range nodes {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Claim) int { return cmp.Compare(a.Index, b.Index) })
	return list
}

func sentence(term uint64, claims []Claim) string {
	said := make([]string, len(claims))
	for i, c := range claims {
		said[i] = fmt.Sprintf("%s (by its %s, at %s)", c.Node, c.Source, seconds(c.At))
	}
	number := "two"
	if len(said) > 2 {
		number = fmt.Sprint(len(said))
	}
	return fmt.Sprintf("term %d has %s leaders: %s", term, number, strings.Join(said, " and "))
}
