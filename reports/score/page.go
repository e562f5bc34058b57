package score

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/reports/view"
)

//go:embed templates
var templates embed.FS

var pageTemplate = view.Parse("score.html.tmpl", templates)

// page is what the template shows.
type page struct {
	Score
	Profiles []profileColumn
	Bugs     []bugRow
	Compared []compared
	Alarms   []Run
	Unsure   []Run
	Reached  []reachedRow
}

type profileColumn struct {
	Name           string
	Tuned, HeldOut Totals
	Right          Right
}

type bugRow struct {
	Bug     string
	HeldOut bool
	Cells   []*Row // by profile; nil if it was not looked for
}

type compared struct {
	First, Second string
	Comparison
}

// reachedRow says in how many runs of each profile a situation was reached.
type reachedRow struct {
	Name   string
	Shares []float64
}

// WritePage writes the page of a score.
func (s Score) WritePage(w io.Writer) error {
	p := page{Score: s}
	rows := make(map[string]*bugRow)
	for i, name := range s.Profiles {
		p.Profiles = append(p.Profiles, profileColumn{name, s.Totals(name, false), s.Totals(name, true), s.Right(name)})
		for _, row := range s.Rows(name) {
			if rows[row.Bug] == nil {
				rows[row.Bug] = &bugRow{Bug: row.Bug, HeldOut: row.HeldOut, Cells: make([]*Row, len(s.Profiles))}
			}
			rows[row.Bug].Cells[i] = &row
		}
		for _, other := range s.Profiles[:i] {
			p.Compared = append(p.Compared, compared{other, name, s.Compare(other, name)})
		}
	}
	for _, row := range rows {
		p.Bugs = append(p.Bugs, *row)
	}
	slices.SortFunc(p.Bugs, func(a, b bugRow) int {
		switch {
		case a.HeldOut == b.HeldOut:
			return cmp.Compare(a.Bug, b.Bug)
		case a.HeldOut:
			return 1
		}
		return -1
	})
	for _, r := range s.Runs {
		switch r.Status {
		case Alarm:
			p.Alarms = append(p.Alarms, r)
		case Unsure, Broken:
			p.Unsure = append(p.Unsure, r)
		}
	}
	p.Reached = s.reached()
	return pageTemplate.Execute(w, p)
}

// reached counts the situations that runs came to, by profile.
func (s Score) reached() (rows []reachedRow) {
	counts, totals := make(map[string][]int), make([]int, len(s.Profiles))
	for _, r := range s.Runs {
		i := slices.Index(s.Profiles, r.Profile)
		if i < 0 || r.Status == Broken {
			continue
		}
		totals[i]++
		for _, name := range r.Reached {
			if counts[name] == nil {
				counts[name] = make([]int, len(s.Profiles))
			}
			counts[name][i]++
		}
	}
	for name, by := range counts {
		row := reachedRow{Name: name}
		for i, n := range by {
			row.Shares = append(row.Shares, float64(n)/float64(max(1, totals[i])))
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b reachedRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

// Percent writes a share for people.
func Percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// Seconds writes a time to detection; 0 is one that is not known, as too few runs found it.
func Seconds(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Methods of the page, for its template.

// Percent is [Percent].
func (page) Percent(share float64) string { return Percent(share) }

// Seconds is [Seconds].
func (page) Seconds(d time.Duration) string { return Seconds(d) }

// Kind is how a cell is coloured.
func (page) Kind(r *Row) string {
	switch {
	case r.Share() >= 0.9:
		return "good"
	case r.Found > 0:
		return "maybe"
	}
	return "bad"
}

// Width is how long the bar of a cell is, in percent.
func (page) Width(r *Row) float64 { return 100 * r.Share() }
