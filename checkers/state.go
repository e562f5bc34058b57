package checkers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// state checks State Machine Safety (Raft, Figure 3) as far as it shows from outside: nodes that
// have applied the same log index, or are at the same revision, must report the same hash of their
// state. It knows no more than what was looked at, and says when that was.
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
	notes := h.Notes()
	settled := h.End()
	if span, ok := notes.Phase(history.PhaseRecover); ok {
		settled = span.From
	}
	seen := make(map[place][]Sighting)
	see := func(p place, index int, at time.Duration, node, hash string) {
		seen[p] = append(seen[p], Sighting{node, fmt.Sprintf("%s %d", p.of, p.at), hash, at, index})
	}
	for _, s := range notes.Statuses {
		if s.What.Hash != "" && s.What.Applied > 0 { // nodes that have done nothing do not differ
			see(place{of: "index", at: s.What.Applied}, s.Index, s.At, s.Node, s.What.Hash)
		}
	}
	for _, s := range notes.Hashes {
		if s.What.Revision == 0 {
			continue // nothing was done yet, or nobody said how much
		}
		see(place{of: "revision", at: s.What.Revision, since: s.What.Since}, s.Index, s.At, s.Node, s.What.Sum)
	}
	var compared, before int // places at which nodes were compared, and those of them before the end
	var differ []place
	agree := make(map[string]bool)
	for p, all := range seen {
		same, others, late := true, false, make(map[string]bool)
		for _, s := range all {
			same = same && s.Hash == all[0].Hash
			others = others || s.Node != all[0].Node
			if s.At >= settled {
				late[s.Node] = true
			}
		}
		switch {
		case !same:
			differ = append(differ, p)
		case others:
			if compared++; len(late) == 0 {
				before++
			}
			if len(late) > 1 { // with each other, and not with what one of them was long ago
				maps.Copy(agree, late)
			}
		}
	}
	if len(differ) > 0 {
		return diverged(h, seen, differ)
	}
	if len(agree) == 0 {
		return Result{
			Verdict: Unknown,
			Why:     "after the last heal, no two nodes were seen at the same place of their logs: there is nothing to compare",
		}
	}
	for _, node := range notes.MembersAt(h.End()) {
		if !agree[node] {
			return Result{
				Verdict: Unknown,
				Why: fmt.Sprintf("after the last heal, %s was not seen at the same place of its log as "+
					"others: its state was compared with none", node),
			}
		}
	}
	return Result{
		Verdict: Valid,
		Why: fmt.Sprintf(
			"nodes were in the same state at each of %s at which they were compared, %d of them before the last heal; all "+
				"%d agree at the end",
			count(compared, "place"),
			before,
			len(agree),
		),
	}
}

// diverged says which nodes differ from the others, from where on, and when that was seen.
func diverged(h *history.History, seen map[place][]Sighting, differ []place) Result {
	// The first place at which they differ, of one kind; hashes of different parts of the past say nothing of each other.
	slices.SortFunc(differ, func(a, b place) int {
		return cmp.Or(strings.Compare(b.of, a.of), cmp.Compare(a.at, b.at), cmp.Compare(a.since, b.since))
	})
	first := differ[0]
	byHash := make(map[string][]Sighting)
	var hashes []string
	for _, s := range seen[first] {
		if byHash[s.Hash] == nil {
			hashes = append(hashes, s.Hash)
		}
		if !slices.ContainsFunc(byHash[s.Hash], func(known Sighting) bool { return known.Node == s.Node }) {
			byHash[s.Hash] = append(byHash[s.Hash], s)
		}
	}
	// The odd ones are fewer than the others.
	slices.SortStableFunc(hashes, func(a, b string) int { return cmp.Compare(len(byHash[b]), len(byHash[a])) })
	var parts []string
	var evidence []Sighting
	var ops []int
	for _, hash := range hashes {
		var nodes []string
		for _, s := range byHash[hash] {
			nodes = append(nodes, quoted(s.Node))
			evidence = append(evidence, s)
			ops = append(ops, s.Index)
		}
		verb := "has"
		if len(nodes) > 1 {
			verb = "have"
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", strings.Join(nodes, ", "), verb, quoted(hash)))
	}
	// One hash says nothing: it was seen when the first other one was.
	inOrder := slices.SortedFunc(slices.Values(evidence), func(a, b Sighting) int { return cmp.Compare(a.Index, b.Index) })
	at := inOrder[slices.IndexFunc(inOrder, func(s Sighting) bool { return s.Hash != inOrder[0].Hash })]
	why := fmt.Sprintf("the nodes' states have diverged: at %s, %s (seen at %s)",
		at.Place, strings.Join(parts, ", and "), seconds(at.At))
	if len(hashes) == 2 && len(byHash[hashes[1]]) < len(byHash[hashes[0]]) {
		odd := make([]string, 0, 1)
		for _, s := range byHash[hashes[1]] {
			odd = append(odd, quoted(s.Node))
		}
		why += "; the odd one is " + strings.Join(odd, ", ")
		if len(odd) > 1 {
			why = strings.Replace(why, "the odd one is", "the odd ones are", 1)
		}
	}
	// The last place before it at which the same nodes agreed, of the same part of the past.
	last := uint64(0)
	for p, all := range seen {
		if p.of == first.of && p.since == first.since && p.at < first.at && p.at > last && sameNodes(all, evidence) {
			last = p.at
		}
	}
	switch {
	case last > 0 && last == first.at-1:
		why += fmt.Sprintf("; it is the first %s that differs", first.of)
	case last > 0:
		why += fmt.Sprintf("; at %s %d they agreed", first.of, last)
	}
	if since, ok := reached(h, first); ok && since < at.At {
		why += fmt.Sprintf("; %s %d was reached by %s, %s before this was seen", first.of, first.at, seconds(since),
			seconds(at.At-since))
	}
	return Result{Verdict: Invalid, Ops: ops, Attach: attach(KindStates, evidence), Why: why}
}

// reached returns when a client was first answered from a place, or from one behind it.
func reached(h *history.History, p place) (at time.Duration, ok bool) {
	if p.of != "revision" {
		return 0, false
	}
	for op := range h.Ops() {
		if o := op.Return; o.Kind == history.OK && o.Stamp.Revision >= p.at && (!ok || o.At < at) {
			at, ok = o.At, true
		}
	}
	return at, ok
}

// sameNodes reports whether nodes that differ elsewhere agree here.
func sameNodes(here, elsewhere []Sighting) bool {
	said := make(map[string]string)
	for _, s := range here {
		said[s.Node] = s.Hash
	}
	agree := make(map[string]bool) // hashes elsewhere, of nodes that were seen here
	for _, s := range elsewhere {
		if _, ok := said[s.Node]; ok {
			agree[s.Hash] = true
		}
	}
	hash := here[0].Hash
	for _, s := range here {
		if s.Hash != hash {
			return false
		}
	}
	return len(agree) > 1
}
