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
	notes := h.Notes()
	terms := make(map[uint64][]Claim) // there are few leaders in a term, and one where all is well
	claims(terms, notes.Claims)
	claims(terms, byStatus(notes.Statuses))
	if len(terms) == 0 {
		return Result{Verdict: Unknown, Why: "no node ever claimed to lead, so that there is nothing to " +
			"check: use a longer run, or check that the claims are read as the nodes log them"}
	}
	var split []uint64
	var evidence []Claim
	for term, nodes := range terms {
		if len(nodes) > 1 {
			split = append(split, term)
		}
	}
	if len(split) == 0 {
		return Result{Verdict: Valid, Why: fmt.Sprintf("%s had a leader, and none had two", count(len(terms), "term"))}
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
	switch more := len(split) - 1; {
	case more == 1:
		why += "; so has 1 more term"
	case more > 1:
		why += fmt.Sprintf("; so have %d more terms", more)
	}
	return Result{Verdict: Invalid, Why: why, Ops: ops, Attach: attach(KindClaims, evidence)}
}

// byStatus returns the claims that nodes make by their status: a leader's, if it is one to the term that it tells.
func byStatus(statuses []history.Said[history.Status]) (said []history.Said[history.Claim]) {
	for i := range statuses {
		s := &statuses[i]
		if s.What.Role == "leader" && s.What.Term > 0 && !s.What.Vague {
			said = append(
				said,
				history.Said[history.Claim]{
					Index: s.Index,
					At:    s.At,
					Node:  s.Node,
					What:  history.Claim{Term: s.What.Term, Source: "status"},
				},
			)
		}
	}
	return said
}

// claims adds, for each term, the best claim of each node to it: its own log's before its
// status', the first before later ones.
func claims(terms map[uint64][]Claim, said []history.Said[history.Claim]) {
	last := Claim{}
	for i := range said {
		c := &said[i]
		if c.What.Term == last.Term && c.Node == last.Node && (last.Source == "log" || c.What.Source == last.Source) {
			continue // the same again
		}
		last = Claim{Node: c.Node, Term: c.What.Term, At: c.At, Source: c.What.Source, Index: c.Index}
		nodes := terms[last.Term]
		switch at := slices.IndexFunc(nodes, func(known Claim) bool { return known.Node == c.Node }); {
		case at < 0:
			terms[last.Term] = append(nodes, last)
		case nodes[at].Source != "log" && last.Source == "log":
			nodes[at] = last
		}
	}
}

func ordered(list []Claim) []Claim {
	return slices.SortedFunc(slices.Values(list), func(a, b Claim) int { return cmp.Compare(a.Index, b.Index) })
}

func sentence(term uint64, claims []Claim) string {
	said := make([]string, len(claims))
	for i, c := range claims {
		said[i] = fmt.Sprintf("%s (by its %s, at %s)", quoted(c.Node), c.Source, seconds(c.At))
	}
	number := "two"
	if len(said) > 2 {
		number = fmt.Sprint(len(said))
	}
	return fmt.Sprintf("term %d has %s leaders: %s", term, number, strings.Join(said, " and "))
}
