package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/view"
)

// reign is the time during which a node held itself for the leader of a term.
type reign struct {
	node     string
	term     uint64
	from, to time.Duration
}

// reigns pieces together, from claims and reports.Statuses(), who led when. A reign lasts until the node is
// known to be something else. A status whose term may be another one can end a reign, and begins none.
func reigns(h *history.History) []reign {
	var all []reign
	open := make(map[string]int) // node -> its reign that has not ended
	end := func(node string, t time.Duration) {
		if i, ok := open[node]; ok {
			all[i].to = t
			delete(open, node)
		}
	}
	notes := h.Notes()
	type word struct {
		index int
		at    time.Duration
		node  string
		term  uint64
		leads bool
	}
	var words []word
	for _, c := range notes.Claims {
		words = append(words, word{c.Index, c.At, c.Node, c.What.Term, true})
	}
	for _, s := range notes.Statuses {
		if leads := s.What.Role == "leader"; !leads ||
			!s.What.Vague { // a vague leader leads some term, and perhaps not this one
			words = append(words, word{s.Index, s.At, s.Node, s.What.Term, leads})
		}
	}
	for _, e := range notes.Exits {
		words = append(words, word{e.Index, e.At, e.Node, 0, false})
	}
	slices.SortFunc(words, func(a, b word) int { return cmp.Compare(a.index, b.index) })
	for _, w := range words {
		i, reigning := open[w.node]
		switch {
		case reigning && w.leads && all[i].term >= w.term:
			continue // more of the same, or an answer that was overtaken by the log
		case reigning:
			end(w.node, w.at)
		}
		if w.leads {
			open[w.node] = len(all)
			all = append(all, reign{w.node, w.term, w.at, h.End()})
		}
	}
	return all
}

// leaders is who led which term when, as far as nodes said so.
type leaders struct {
	nodes  []string
	sites  map[string]int // by node, from 1; empty if all are in one
	reigns []reign
	split  map[uint64]bool // terms with more than one leader
}

func leadersOf(h *history.History) leaders {
	l := leaders{reigns: reigns(h), split: make(map[uint64]bool)}
	if test, ok := h.Test(); ok {
		l.nodes, l.sites = test.Nodes, make(map[string]int)
		for i, site := range test.Sites {
			for _, n := range site {
				l.sites[n] = i + 1
			}
		}
		return l
	}
	seen := make(map[string]bool) // a history that does not say which nodes there are
	for _, r := range l.reigns {
		seen[r.node] = true
	}
	l.nodes = sortedKeys(seen)
	return l
}

// leaderLanes draws a lane for each node, and in it the terms that it held itself for the leader of.
func leaderLanes(d *drawing, a axis, y float64, l leaders) float64 {
	if len(l.nodes) == 0 {
		return y
	}
	heading(d, y, "Leader of term")
	lane := make(map[string]float64)
	for i, n := range l.nodes {
		lane[n] = y + laneHeight*float64(i)
		d.text(gutter-8, lane[n]+13, "name", "end", view.Clip(n, 12))
		class := "grid"
		if i+1 < len(l.nodes) && l.sites[n] != l.sites[l.nodes[i+1]] {
			class = "site"
		}
		d.line(a.left, lane[n]+laneHeight, a.right, lane[n]+laneHeight, class)
		if site := l.sites[n]; site > 0 && (i == 0 || l.sites[l.nodes[i-1]] != site) {
			d.text(4, lane[n]+13, "tick", "start", fmt.Sprintf("site %d", site))
		}
	}
	for _, r := range l.reigns {
		top, known := lane[r.node]
		if !known || !a.shows(r.from, r.to) {
			continue
		}
		class, title := "", fmt.Sprintf("%s leads term %d, %s to %s", r.node, r.term, view.At(r.from), view.At(r.to))
		if l.split[r.term] {
			class, title = " split", title+" — and so does another node"
		}
		x, end := a.x(r.from), a.x(r.to)
		d.box(x, top+2, end-x, laneHeight-4, "leader"+class, title)
		if text := fmt.Sprint(r.term); end-x > 7*float64(len(text))+4 {
			d.text(x+3, top+13, "onleader"+class, "start", text)
		}
	}
	return y + laneHeight*float64(len(l.nodes)) + panelGap
}

// claims shows terms with more than one leader, each with its moment.
func (p *Page) claims(of string, data json.RawMessage) error {
	claims, err := checkers.Decode[[]checkers.Claim](data)
	if err != nil {
		return err
	}
	for len(claims) > 0 {
		term := claims[0].Term
		n := slices.IndexFunc(claims, func(c checkers.Claim) bool { return c.Term != term })
		if n < 0 {
			n = len(claims)
		}
		e := Evidence{
			Of: of, Heading: fmt.Sprintf("Term %d has %d leaders", term, n),
			Table: Table{Head: []string{"Node", "Claimed it at", "By its", "Event"}}, From: claims[0].At, To: claims[n-1].At,
		}
		for _, c := range claims[:n] {
			e.Table.Rows = append(e.Table.Rows, []string{c.Node, view.At(c.At), c.Source, fmt.Sprint(c.Index)})
		}
		p.leaders.split[term] = true
		p.Add(e)
		claims = claims[n:]
	}
	return nil
}
