package reports

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
)

// maxSquares is how many runs of a cell an index shows, and maxIndexed how many runs it reads at all, the newest
// first.
const (
	maxSquares = 30
	maxIndexed = 5000
)

// index is what the page over all runs shows.
type index struct {
	Rows     []indexRow
	Runs     []indexed // the newest first
	More     int       // runs that are not listed
	Bad      []red     // whose newest run is not as it should be
	Counts   map[Status]int
	Total    int
	Newest   time.Time
	Unread   int
	Statuses []Status
}

// indexRow is a cell of the matrix: target, workload, nemesis, and what sets it apart.
type indexRow struct {
	Target, Workload, Nemesis, Variant string
	Squares                            []indexed // the oldest first
	Status                             Status    // of the newest
	New                                bool      // the newest is worse than the one before
	Flips                              int       // how often good and bad changed
	UnknownShare                       int       // percent
	Trends                             []trend
}

// trend is how a figure went over the runs of a row.
type trend struct {
	Name, Last string
	Line       string // points of an SVG polyline, 120 by 22
}

// red is the newest run of a row that is not as it should be.
type red struct {
	indexed
	Streak   int     // runs in a row, this one included
	Since    indexed // the first of them
	LastGood indexed // the run before that; without a Dir if there is none
}

// indexed is a run in an index.
type indexed struct {
	Summary
	Dir    string
	Status Status
}

// cell is what runs have in common that are compared with each other.
func (r indexed) cell() string {
	return strings.Join([]string{r.Target, r.Fleet, r.Workload, r.Nemesis, r.Variant}, "\x00")
}

// Title says in one line what a run was and how it ended.
func (r indexed) Title() string {
	return fmt.Sprintf("%s, seed %d, %s: %s", r.Started.UTC().Format("2006-01-02 15:04:05"), r.Seed, r.Status, r.Why)
}

// WriteIndex writes index.html over all run directories in a directory.
func WriteIndex(dir string) error {
	runs, unread, err := readRuns(dir)
	if err != nil {
		return err
	}
	// A reader never sees half of it, and two writers do not write one file.
	next, err := os.CreateTemp(dir, ".index-*")
	if err != nil {
		return err
	}
	err = errors.Join(indexPage.Execute(next, newIndex(runs, unread)), next.Chmod(0o644), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), filepath.Join(dir, IndexFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}

var indexPage = template.Must(template.New("index.html.tmpl").Funcs(functions).ParseFS(templates, "templates/*.tmpl"))

// readRuns reads the summaries of the newest runs in a directory.
func readRuns(dir string) (runs []indexed, unread int, err error) {
	expected := expectations(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	slices.Reverse(entries) // their names begin with the time
	for _, e := range entries {
		if !e.IsDir() || len(runs) >= maxIndexed {
			continue
		}
		switch r, err := readRun(dir, e.Name(), expected); {
		case err == nil:
			runs = append(runs, r)
		case !errors.Is(err, os.ErrNotExist): // that is not a run, or one that is under way
			unread++
		}
	}
	slices.SortStableFunc(runs, func(a, b indexed) int { return b.Started.Compare(a.Started) })
	return runs, unread, nil
}

// readRun reads the summary of one run, and measures it by what a suite expected of it.
func readRun(dir, name string, expected map[string]string) (indexed, error) {
	b, err := os.ReadFile(filepath.Join(dir, name, ResultsFile))
	if err != nil {
		return indexed{}, err
	}
	r, err := unmarshal[results](b)
	if err == nil && r.Summary.Target == "" {
		err = errors.New("it does not say of what run it is")
	}
	return indexed{r.Summary, name, statusOf(r.Summary.Verdict, r.Trouble != "", expected[name], r.Summary.Variant)}, err
}

// expectations returns what the suite in a directory, if there is one, expected of its runs.
func expectations(dir string) map[string]string {
	expected := make(map[string]string)
	if s, err := ReadSuite(dir); err == nil {
		for _, o := range s.Outcomes {
			expected[o.Dir] = o.Expect
		}
	}
	return expected
}

// statusOf measures a verdict by what was expected; a run with a planted bug is expected to be invalid.
func statusOf(v checkers.Verdict, trouble bool, expect, variant string) Status {
	if expect == "" && strings.Contains(variant, "bug=") {
		expect = checkers.Invalid.String()
	}
	switch {
	case v == checkers.Invalid && expect == checkers.Invalid.String():
		return Passed
	case v == checkers.Invalid:
		return Failed
	case trouble:
		return Broken
	case v == checkers.Unknown:
		return Unknown
	case expect == checkers.Invalid.String():
		return Failed
	default:
		return Passed
	}
}

func newIndex(runs []indexed, unread int) index {
	x := index{Counts: make(map[Status]int), Total: len(runs), Unread: unread, Statuses: []Status{Failed, Broken, Unknown, Passed}}
	rows := make(map[string]*indexRow)
	var order []*indexRow
	for i := len(runs) - 1; i >= 0; i-- { // the oldest first
		r := runs[i]
		x.Counts[r.Status]++
		target := r.Target
		if r.Fleet != "" {
			target += " on " + r.Fleet
		}
		row := rows[r.cell()]
		if row == nil {
			row = &indexRow{Target: target, Workload: r.Workload, Nemesis: r.Nemesis, Variant: r.Variant}
			rows[r.cell()] = row
			order = append(order, row)
		}
		row.Squares = append(row.Squares, r)
	}
	for _, row := range order {
		if r := redOf(row.Squares); r.Streak > 0 {
			x.Bad = append(x.Bad, r)
		}
		row.Squares = row.Squares[max(0, len(row.Squares)-maxSquares):]
		row.finish()
	}
	slices.SortStableFunc(order, func(a, b *indexRow) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Nemesis, b.Nemesis))
	})
	for _, row := range order {
		x.Rows = append(x.Rows, *row)
	}
	if len(runs) > 0 {
		x.Newest = runs[0].Started
	}
	const listed = 200
	x.Runs, x.More = runs[:min(len(runs), listed)], max(0, len(runs)-listed)
	return x
}

// redOf returns since when the newest of some runs, the oldest first, are not as they should be.
func redOf(runs []indexed) (r red) {
	for i, run := range slices.Backward(runs) {
		if run.Status == Passed {
			r.LastGood = run
			break
		}
		r.Since, r.Streak = run, len(runs)-i
	}
	r.indexed = runs[len(runs)-1]
	return r
}

// finish works out what the squares of a row say together.
func (row *indexRow) finish() {
	last := len(row.Squares) - 1
	row.Status = row.Squares[last].Status
	unknown := 0
	for i, r := range row.Squares {
		if r.Status == Unknown {
			unknown++
		}
		if i > 0 && (r.Status == Passed) != (row.Squares[i-1].Status == Passed) {
			row.Flips++
			row.New = i == last && r.Status != Passed
		}
	}
	row.UnknownShare = 100 * unknown / len(row.Squares)
	for _, t := range []struct {
		name string
		of   func(indexed) float64
		text func(float64) string
	}{
		{"p99", func(r indexed) float64 { return r.P99.Seconds() }, milliseconds},
		{"ok/s", func(r indexed) float64 { return r.Rate }, func(v float64) string { return fmt.Sprintf("%.0f", v) }},
		{"new leader", func(r indexed) float64 { return r.NewLeader.Seconds() }, milliseconds},
		{"check", func(r indexed) float64 { return r.Check.Seconds() }, milliseconds},
	} {
		var values []float64
		for _, r := range row.Squares {
			values = append(values, t.of(r))
		}
		row.Trends = append(row.Trends, trend{t.name, t.text(values[last]), polyline(values, 90, 18)})
	}
}

func milliseconds(seconds float64) string {
	if seconds == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g ms", seconds*1000)
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
