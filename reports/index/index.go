// Package index draws the page over many runs, and writes what a suite leaves for people and for CI systems.
package index

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/view"
)

// maxSquares is how many runs of a cell an index shows, and maxListed how many runs its list has.
const (
	maxSquares = 30
	maxListed  = 200
)

// index is what the page over all runs shows.
type index struct {
	reports.Runs
	Rows     []indexRow
	Listed   []reports.Found // the newest first
	More     int             // runs that are not listed
	Bad      []red           // whose newest runs are not as they should be
	Counts   map[reports.Status]int
	Newest   time.Time
	Statuses []reports.Status
}

// Green says that there is something, and that nothing is wrong with it.
func (x index) Green() bool {
	return len(x.Rows) > 0 && len(x.Bad) == 0 && len(x.Lost) == 0 && len(x.Unread) == 0
}

// indexRow is a cell of the matrix: target, workload, nemesis, and what sets it apart.
type indexRow struct {
	Target, Workload, Nemesis, Variant string
	Squares                            []reports.Found  // the oldest first
	New                                bool             // the newest are worse than those before
	Flips                              int              // how often good and bad changed
	UnknownShare                       int              // percent
	Coverage                           reports.Coverage // of all squares together
	Trends                             []trend
}

// trend is how a figure went over the runs of a row.
type trend struct {
	Name, Last string
	Line       string // points of an SVG polyline, 90 by 18
}

// batch is runs of one cell that count as one: a run, or those of one suite, with other seeds.
type batch struct {
	runs  []reports.Found // the oldest first
	worst reports.Found
	mixed bool // some are as they should be, and some are not
}

func (b batch) good() bool { return b.worst.Status == reports.Passed }

// batches groups the runs of a cell, the oldest first, by the newest run of each.
func batches(of []reports.Found) []batch {
	var all []batch
	for _, r := range of {
		b := batch{worst: r}
		if i := slices.IndexFunc(all, func(b batch) bool { return b.worst.Batch == r.Batch }); i >= 0 {
			b = all[i]
			all = slices.Delete(all, i, i+1)
		}
		b.runs = append(b.runs, r)
		b.mixed = b.mixed || (r.Status == reports.Passed) != (b.runs[0].Status == reports.Passed)
		if slices.Index(reports.Statuses(), r.Status) < slices.Index(reports.Statuses(), b.worst.Status) {
			b.worst = r
		}
		all = append(all, b)
	}
	return all
}

// red is a cell whose newest runs are not as they should be: the worst of them.
type red struct {
	reports.Found
	Streak   int           // batches in a row, this one included
	Since    reports.Found // the worst of the first of them
	LastGood reports.Found // the run before that; without a Dir if there is none
}

// Write writes index.html over all run directories in a directory. A page of that name that is not sunder's stays,
// which is an error.
func Write(dir string) error {
	path := filepath.Join(dir, reports.IndexFile)
	if ours, err := isOurs(path); err != nil || !ours {
		return cmp.Or(err, fmt.Errorf("%s is not a page that sunder wrote: it stays as it is", path))
	}
	return reports.ReplaceFile(path, func(w io.Writer) error { return Draw(dir, w) })
}

// Draw writes the page over all run directories in a directory, as they are now.
func Draw(dir string, w io.Writer) error {
	found, err := reports.ReadRuns(dir)
	if err != nil {
		return err
	}
	return indexPage.Execute(w, newIndex(found))
}

//go:embed templates
var templates embed.FS

var indexPage = view.Parse("index.html.tmpl", templates)

func newIndex(found reports.Runs) index {
	x := index{
		Runs:     found,
		Counts:   make(map[reports.Status]int),
		Statuses: []reports.Status{reports.Failed, reports.Broken, reports.Unknown, reports.Passed, reports.NotRun},
	}
	rows := make(map[string]*indexRow)
	var order []*indexRow
	for _, r := range slices.Backward(found.List) { // the oldest first
		x.Counts[r.Status]++
		row := rows[r.Cell()]
		if row == nil {
			target := r.Target
			if r.Fleet != "" {
				target += " on " + r.Fleet
			}
			if r.Nodes > 0 {
				target += ", " + view.Count(r.Nodes, "node")
			}
			row = &indexRow{Target: target, Workload: r.Workload, Nemesis: r.Nemesis, Variant: r.Variant}
			rows[r.Cell()] = row
			order = append(order, row)
		}
		row.Squares = append(row.Squares, r)
	}
	for _, o := range found.Lost {
		x.Counts[o.Status]++
	}
	for _, row := range order {
		if r := row.finish(); r.Streak > 0 {
			x.Bad = append(x.Bad, r)
		}
	}
	slices.SortStableFunc(order, func(a, b *indexRow) int {
		return cmp.Or(
			cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Workload, b.Workload),
			cmp.Compare(a.Variant, b.Variant),
			cmp.Compare(a.Nemesis, b.Nemesis),
		)
	})
	for _, row := range order {
		x.Rows = append(x.Rows, *row)
	}
	if len(found.List) > 0 {
		x.Newest = found.List[0].Started
	}
	x.Listed, x.More = found.List[:min(len(found.List), maxListed)], max(0, len(found.List)-maxListed)
	return x
}

// finish works out what the squares of a row say together, and returns since when they are red, if they are.
func (row *indexRow) finish() (r red) {
	all := batches(row.Squares)
	for i, b := range all {
		if b.mixed {
			row.Flips++ // some seeds find it and some do not
		}
		if i > 0 && b.good() != all[i-1].good() {
			row.Flips++
			row.New = i == len(all)-1 && !b.good()
		}
	}
	for i, b := range slices.Backward(all) {
		if b.good() {
			r.LastGood = b.worst
			break
		}
		r.Since, r.Streak = b.worst, len(all)-i
	}
	r.Found = all[len(all)-1].worst
	row.Squares = row.Squares[max(0, len(row.Squares)-maxSquares):]
	row.measure()
	return r
}

// measure works out the figures of the squares.
func (row *indexRow) measure() {
	last, unknown := len(row.Squares)-1, 0
	for _, r := range row.Squares {
		if r.Status == reports.Unknown {
			unknown++
		}
		row.Coverage = row.Coverage.And(r.Coverage)
	}
	row.UnknownShare = 100 * unknown / len(row.Squares)
	for _, t := range []struct {
		name string
		of   func(reports.Found) float64
		text func(float64) string
	}{
		{"p99", func(r reports.Found) float64 { return r.P99.Seconds() }, milliseconds},
		{"ok/s", func(r reports.Found) float64 { return r.Rate }, func(v float64) string { return fmt.Sprintf("%.0f", v) }},
		{"new leader", func(r reports.Found) float64 { return r.NewLeader.Seconds() }, milliseconds},
		{"check", func(r reports.Found) float64 { return r.Check.Seconds() }, milliseconds},
	} {
		var values []float64
		for _, r := range row.Squares {
			values = append(values, t.of(r))
		}
		row.Trends = append(row.Trends, trend{t.name, t.text(values[last]), polyline(values, 90, 18)})
	}
}

func milliseconds(seconds float64) string {
	switch {
	case seconds == 0:
		return "–"
	case seconds >= 1:
		return fmt.Sprintf("%.3g s", seconds)
	default:
		return fmt.Sprintf("%.3g ms", seconds*1000)
	}
}

// polyline draws values from 0 to the greatest.
func polyline(values []float64, width, height float64) string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	if most == 0 || math.IsInf(most, 0) {
		most = 1
	}
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%.1f,%.1f ", width*float64(i)/float64(max(len(values)-1, 1)), height-1-(height-2)*v/most)
	}
	return strings.TrimSpace(b.String())
}

// isOurs says whether a page is one that sunder wrote.
func isOurs(path string) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // nobody's
	}
	return strings.Contains(string(b[:min(len(b), 1000)]), generator), err
}

// generator marks our pages.
const generator = `<meta name="generator" content="sunder">`
