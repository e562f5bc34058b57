package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/view"
)

// Renderer shows what checkers attach of one kind. It decodes the data, and adds to the page what it shows of
// them: for what went wrong, an [Evidence] of pictures, a table, and a text to paste. The page itself adds what
// happened around it: faults, leaders, and what the nodes wrote.
type Renderer func(p *Page, of string, data json.RawMessage) error

// Default returns the renderers of sunder, by kind of attachment.
func Default() map[string]Renderer {
	return map[string]Renderer{
		checkers.KindTimeline: (*Page).timeline,
		checkers.KindTenures:  (*Page).tenures,
		checkers.KindClaims:   (*Page).claims,
		checkers.KindStates:   (*Page).states,
		checkers.KindExits:    (*Page).exits,
		checkers.KindCounts:   (*Page).counts,

		checkers.KindAvailability: (*Page).availability,
		checkers.KindText:         (*Page).text,
	}
}

// maxEvidence bounds how much of what a checker found is shown, and allEvidence what all of them did, but for the first
// of each. results.json has all of it.
const (
	maxEvidence = 5
	allEvidence = 30
)

// Evidence is what one attachment shows, with the moment of the run that it is about.
type Evidence struct {
	Of, Heading string
	Figures     []Figure
	Table       Table
	Text        string
	From, To    time.Duration // both 0 if it is of no moment
	Drawn       bool          // its figures show the faults and leaders of that moment
	// What the page adds.
	Anchor   string // its place in the page, if it is the first of its checker
	Window   string // of the run, as the page's address has it
	Moment   *drawing
	Logs     []logLine
	LogsLeft int
}

// Figure is a picture with what to know of it. With a summary it is folded behind that.
type Figure struct {
	drawing
	Caption, Summary string
}

type Table struct {
	Head []string
	Rows [][]string
}

// maxLogBytes bounds what all logs take in a page, as they are written there.
const maxLogBytes = 2 << 20

// margin is how much of the run is shown around a violation.
const margin = time.Second

// Add adds evidence to the page.
func (p *Page) Add(e Evidence) { p.Evidence = append(p.Evidence, e) }

// show adds all attachments to the page. One that no renderer knows, or that it cannot read, is shown as text.
func (p *Page) show(r reports.Run, renderers map[string]Renderer, faults []history.Fault) {
	for _, result := range r.Results {
		for _, a := range result.Attach {
			render, ok := renderers[a.Kind]
			if !ok || render(p, result.Checker, a.Data) != nil {
				p.Add(Evidence{Of: result.Checker, Heading: a.Kind, Text: view.Clip(string(a.Data), 10_000)})
			}
		}
	}
	if len(p.Evidence) > maxEvidence {
		// Some of each checker's: the first of one explains more than the tenth of another.
		kept, most := make(map[string]int), max(1, min(maxEvidence, allEvidence/len(r.Results)))
		p.Evidence = slices.DeleteFunc(p.Evidence, func(e Evidence) bool { kept[e.Of]++; return kept[e.Of] > most })
	}
	room := maxLogBytes
	for i := range p.Evidence {
		e := &p.Evidence[i]
		if !p.Shown[e.Of] {
			e.Anchor, p.Shown[e.Of] = e.Of, true
		}
		if e.To == 0 {
			continue
		}
		e.Window = view.Window(e.From-margin, e.To+margin)
		if !e.Drawn {
			picture := moment(faults, p.leaders, e.From, e.To)
			e.Moment = &picture
		}
		if p.Known {
			e.Logs, e.LogsLeft = nodeLogs(r.Dir, p.Test.Started, e.From-margin, e.To+margin)
			e.Logs = append(e.Logs, answers(r.History, e.From-margin, e.To+margin)...)
			slices.SortStableFunc(e.Logs, func(a, b logLine) int { return cmp.Compare(a.At, b.At) })
			for n, l := range e.Logs {
				if room -= len(template.HTMLEscapeString(l.Text)); room < 0 {
					e.Logs, e.LogsLeft = e.Logs[:n], e.LogsLeft+len(e.Logs)-n
					break
				}
			}
		}
	}
}

// text shows what a checker says in plain words.
func (p *Page) text(of string, data json.RawMessage) error {
	text, err := checkers.Decode[string](data)
	if err != nil {
		return err
	}
	p.Add(Evidence{Of: of, Heading: "What it says", Text: view.Clip(strings.TrimSpace(text), 10_000)})
	return nil
}

// states shows the nodes whose states have diverged.
func (p *Page) states(of string, data json.RawMessage) error {
	seen, err := checkers.Decode[[]checkers.Sighting](data)
	if err != nil || len(seen) == 0 {
		return err
	}
	e := Evidence{
		Of:      of,
		Heading: "The states of nodes have diverged",
		Table:   Table{Head: []string{"Node", "Place", "Hash of its state", "Seen at", "Event"}},
		From:    seen[0].At,
		To:      seen[0].At,
	}
	for _, s := range seen {
		e.From, e.To = min(e.From, s.At), max(e.To, s.At)
		e.Table.Rows = append(
			e.Table.Rows,
			[]string{s.Node, s.Place, view.Clip(s.Hash, 100), view.At(s.At), fmt.Sprint(s.Index)},
		)
	}
	p.Add(e)
	return nil
}

// exits shows nodes that ended by themselves.
func (p *Page) exits(of string, data json.RawMessage) error {
	exits, err := checkers.Decode[[]checkers.Exit](data)
	for _, x := range exits {
		p.Add(Evidence{
			Of: of, Heading: fmt.Sprintf("Node %s ended by itself at %s", x.Node, view.At(x.At)),
			From: x.At, To: x.At, Text: strings.Join(x.Log, "\n"),
		})
	}
	return err
}

// availability takes what the review says of how well the run was served.
func (p *Page) availability(_ string, data json.RawMessage) error {
	a, err := checkers.Decode[checkers.Availability](data)
	if err != nil || a.Longest == 0 {
		return err
	}
	p.Longest = &answer{
		Question: "What was the longest time without a success?", Answer: fmt.Sprintf("%s, from %s on.",
			milli(a.Longest), view.At(a.From)),
		From: a.From, To: a.From + a.Longest,
	}
	if s := a.AfterFault; s.N > 0 {
		p.Longest.Answer += fmt.Sprintf(" After %s was in force, the next success came after %s (median), %s at most.",
			view.Count(s.N, "fault"), milli(s.Median), milli(s.Most))
	}
	return nil
}

// counts shows what became of each kind of operation.
func (p *Page) counts(_ string, data json.RawMessage) error {
	counts, err := checkers.Decode[map[string]checkers.Counts](data)
	for _, f := range sortedKeys(counts) {
		p.Counts = append(p.Counts, counted{f, counts[f]})
	}
	return err
}
