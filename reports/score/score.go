// Package score knows what a score of runs is: planted bugs, and right systems, under the same settings; how many were
// found, how soon, and how sure that is. It draws the page of it.
package score

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/reports"
)

// Schema is the version of score.json as it is written here.
const Schema = 1

// The files of a score.
const (
	File     = "score.json"
	HTMLFile = "score.html"
)

// Score is what a score has come to so far.
type Score struct {
	Schema  int               `json:"schema"` // [Schema]
	Started time.Time         `json:"started"`
	Build   map[string]string `json:"build,omitempty"`
	// Limit is for how long a run looks for a bug.
	Limit    time.Duration `json:"limit_ns"`
	Profiles []string      `json:"profiles"`
	Runs     []Run         `json:"runs"`
	// Former are the scores before this one, the oldest first, for trends.
	Former []Former `json:"former,omitempty"`
}

// Status is how a run of a score ended.
type Status string

// The statuses. Of a run with a planted bug: Found, or Missed. Of one without: Passed, or Alarm, which is a false one.
// Of either: Unsure if its verdict is unknown for another reason than that nothing was found, and Broken if it came to
// none.
const (
	Found  Status = "found"
	Missed Status = "missed"
	Passed Status = "passed"
	Alarm  Status = "alarm"
	Unsure Status = "unknown"
	Broken Status = "broken"
)

// Run is one run of a score.
type Run struct {
	Profile string `json:"profile"`
	// Bug is the planted one; empty for a right system.
	Bug     string `json:"bug,omitempty"`
	HeldOut bool   `json:"held_out,omitempty"`
	Seed    uint64 `json:"seed"`
	Status  Status `json:"status"`
	// After is how long the load had lasted when the violation was there, or in all if there was none.
	After   time.Duration `json:"after_ns"`
	Checker string        `json:"checker,omitempty"` // that saw it first
	Why     string        `json:"why"`
	CPU     time.Duration `json:"cpu_ns"` // of controller and nodes
	Rate    float64       `json:"rate"`   // of successful operations, a second
	// Reached are the situations that the run came to.
	Reached []string `json:"reached,omitempty"`
	Command string   `json:"command"`
	Dir     string   `json:"dir,omitempty"` // if it was kept
}

// key is what two runs of a score must not share.
func (r Run) key() string { return fmt.Sprintf("%q %q %d", r.Profile, r.Bug, r.Seed) }

// Has reports whether a run has been made.
func (s *Score) Has(profile, bug string, seed uint64) bool {
	want := Run{Profile: profile, Bug: bug, Seed: seed}.key()
	return slices.ContainsFunc(s.Runs, func(r Run) bool { return r.key() == want })
}

// Merge adds the runs of another score that this one does not have.
func (s *Score) Merge(other Score) {
	for _, r := range other.Runs {
		if !s.Has(r.Profile, r.Bug, r.Seed) {
			s.Runs = append(s.Runs, r)
		}
	}
	for _, p := range other.Profiles {
		if !slices.Contains(s.Profiles, p) {
			s.Profiles = append(s.Profiles, p)
		}
	}
}

// Read reads a score from its file, or from the directory that it is in.
func Read(path string) (s Score, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, File)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Schema != Schema {
		return s, fmt.Errorf("%s: it is of version %d, and only version 1 is known", path, s.Schema)
	}
	return s, nil
}

// Save writes the score and its page into a directory.
func (s Score) Save(dir string) error {
	s.Schema = Schema
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		reports.ReplaceFile(filepath.Join(dir, File), func(w io.Writer) error {
			_, err := w.Write(append(b, '\n'))
			return err
		}),
		reports.ReplaceFile(filepath.Join(dir, HTMLFile), s.WritePage),
	)
}

// Row is what a profile came to with one bug.
type Row struct {
	Bug     string
	HeldOut bool
	// Runs are those that came to a verdict, and Found those of them that found it.
	Runs, Found int
	// Low and High are the 95 % interval of the share.
	Low, High float64
	// Median and P90 are the time after which half, and nine in ten, of the runs have found it, by Kaplan and Meier; 0 if
	// fewer have.
	Median, P90 time.Duration
	// First are the checkers that saw it first, the most frequent one first.
	First []string
}

// Share is the part of the runs that found the bug.
func (r Row) Share() float64 { return float64(r.Found) / float64(max(1, r.Runs)) }

// Totals are what a profile came to with a group of bugs.
type Totals struct {
	Bugs, Runs, Found int
	// Recall is the mean over bugs of the share of runs that found each; Low and High are the 95 % interval of the share
	// over all runs.
	Recall, Low, High float64
	// Sure is how many of the bugs were found in at least nine of ten of their runs.
	Sure        int
	Median, P90 time.Duration
	CPU         time.Duration // a run, on average
}

// Right is what a profile came to with right systems.
type Right struct {
	Runs, Passed, Alarms, Unsure, Broken int
	// Most is the highest share of false alarms that so many runs do not rule out, with 95 % confidence.
	Most float64
	Rate float64 // of successful operations, a second, on average
	CPU  time.Duration
}

// Of returns the runs of a profile.
func (s Score) Of(profile string) (runs []Run) {
	for _, r := range s.Runs {
		if r.Profile == profile {
			runs = append(runs, r)
		}
	}
	return runs
}

// Rows returns what a profile came to with each bug, in order.
func (s Score) Rows(profile string) []Row {
	byBug := make(map[string][]Run)
	for _, r := range s.Of(profile) {
		if r.Bug != "" && r.Status != Broken {
			byBug[r.Bug] = append(byBug[r.Bug], r)
		}
	}
	var rows []Row
	for bug, runs := range byBug {
		row := Row{Bug: bug, HeldOut: runs[0].HeldOut, Runs: len(runs)}
		first := make(map[string]int)
		for _, r := range runs {
			if r.Status == Found {
				row.Found++
				first[r.Checker]++
			}
		}
		for name := range first {
			row.First = append(row.First, name)
		}
		slices.SortFunc(row.First, func(a, b string) int { return cmp.Or(first[b]-first[a], cmp.Compare(a, b)) })
		row.Low, row.High = wilson(row.Found, row.Runs)
		row.Median, row.P90 = quantile(runs, 0.5), quantile(runs, 0.9)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Bug, b.Bug) })
	return rows
}

// Totals returns what a profile came to with the bugs that were held out, or with the others.
func (s Score) Totals(profile string, heldOut bool) (t Totals) {
	var runs []Run
	for _, r := range s.Of(profile) {
		if r.Bug != "" && r.HeldOut == heldOut && r.Status != Broken {
			runs = append(runs, r)
			t.CPU += r.CPU
		}
	}
	for _, row := range s.Rows(profile) {
		if row.HeldOut != heldOut {
			continue
		}
		t.Bugs++
		t.Recall += row.Share()
		if row.Share() >= 0.9 {
			t.Sure++
		}
		t.Runs, t.Found = t.Runs+row.Runs, t.Found+row.Found
	}
	t.Recall /= float64(max(1, t.Bugs))
	t.CPU /= time.Duration(max(1, len(runs)))
	t.Low, t.High = wilson(t.Found, t.Runs)
	t.Median, t.P90 = quantile(runs, 0.5), quantile(runs, 0.9)
	return t
}

// Right returns what a profile came to with right systems.
func (s Score) Right(profile string) (t Right) {
	for _, r := range s.Of(profile) {
		if r.Bug != "" {
			continue
		}
		t.Runs++
		t.Rate += r.Rate
		t.CPU += r.CPU
		switch r.Status {
		case Passed:
			t.Passed++
		case Alarm:
			t.Alarms++
		case Unsure:
			t.Unsure++
		default:
			t.Broken++
		}
	}
	_, t.Most = wilson(t.Alarms, t.Passed+t.Alarms)
	t.Rate /= float64(max(1, t.Runs))
	t.CPU /= time.Duration(max(1, t.Runs))
	return t
}

// lostByChance is how likely it may be by chance that a bug is found so much less often than before, for it to count as
// lost.
const lostByChance = 0.05

// Lost returns the bugs that this score finds less often under a profile than a former one did, by more than chance
// explains (Fisher's exact test, one-sided), and those that it was to look for and has no verdict of.
func (s Score) Lost(former Score, profile string) (lost []string) {
	now := make(map[string]Row)
	for _, r := range s.Rows(profile) {
		now[r.Bug] = r
	}
	asked := make(map[string]bool)
	for _, r := range s.Of(profile) {
		asked[r.Bug] = true
	}
	for _, then := range former.Rows(profile) {
		n := now[then.Bug]
		if asked[then.Bug] && (n.Runs == 0 || fisher(n.Found, n.Runs, then.Found, then.Runs) < lostByChance) {
			lost = append(lost, then.Bug)
		}
	}
	return lost
}

// Whole reports whether every run came to a verdict.
func (s Score) Whole() bool {
	return !slices.ContainsFunc(s.Runs, func(r Run) bool { return r.Status == Broken })
}

// Former is a score of another day, in short.
type Former struct {
	Started        time.Time     `json:"started"`
	Revision       string        `json:"revision,omitempty"`
	Profile        string        `json:"profile"`
	Recall         float64       `json:"recall"`
	RecallHeldOut  float64       `json:"recall_held_out"`
	Median         time.Duration `json:"median_ns"`
	Alarms, Rights int
}

// InShort returns the score as those after it remember it, for each profile.
func (s Score) InShort() (all []Former) {
	for _, p := range s.Profiles {
		t, h, r := s.Totals(p, false), s.Totals(p, true), s.Right(p)
		all = append(all, Former{
			Started: s.Started, Revision: s.Build["revision"], Profile: p, Recall: t.Recall, RecallHeldOut: h.Recall,
			Median: t.Median, Alarms: r.Alarms, Rights: r.Runs,
		})
	}
	return all
}
