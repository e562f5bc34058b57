package reports

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

const (
	// maxIndexed is how many runs are read at all, the newest first.
	maxIndexed = 5000
	// Silence is how long a run may write nothing before it is taken for dead. The longest is while it is judged.
	Silence = 10 * time.Minute
)

// Found is a run that was found in a directory.
type Found struct {
	Summary
	Dir    string // below the index, with slashes
	Status Status
	Dead   bool // it ended without results, and so without a report
	// Batch is what it counts with: runs of one suite, with other seeds, are one.
	Batch   string
	ofSuite bool
}

// Cell is what runs have in common that are compared with each other.
func (r Found) Cell() string {
	return fmt.Sprintf("%q", []any{r.Target, r.Fleet, r.Nodes, r.Workload, r.Nemesis, r.Variant})
}

// Link leads to the run's report, if there is one.
func (r Found) Link() string {
	if r.Dead {
		return r.Dir + "/"
	}
	return r.Dir + "/" + HTMLFile
}

// Title says in one line what a run was and how it ended.
func (r Found) Title() string {
	return fmt.Sprintf("%s, seed %d, %s: %s", r.Started.UTC().Format("2006-01-02 15:04:05"), r.Seed, r.Status, r.Why)
}

// Runs is what there is in a directory: single runs, a suite's, or suites with theirs.
type Runs struct {
	List     []Found   // the newest first
	Lost     []Outcome // what suites were to run, left nothing, and was not run again since
	Unread   []string  // what could not be read, and why
	UnderWay int
	Skipped  int // directories that were not looked at, as there are too many
}

// errUnderWay says that a run has not ended yet; errNoRun that something is none.
var (
	errUnderWay = errors.New("the run is under way")
	errNoRun    = errors.New("this is no run")
)

// foundSuite is a suite in a directory of runs.
type foundSuite struct {
	Suite
	read  map[string]bool // the directories of its runs that could be read
	alive bool            // it is under way
}

// ReadRuns reads the summaries of the runs in a directory.
func ReadRuns(dir string) (Runs, error) {
	var found Runs
	var suites []foundSuite
	// read reads a directory of runs, below which others may be if they are suites.
	var read func(below string, top bool) error
	read = func(below string, top bool) error {
		at := filepath.Join(dir, filepath.FromSlash(below))
		entries, err := os.ReadDir(at)
		if err != nil {
			return err
		}
		s := foundSuite{read: make(map[string]bool)}
		s.Suite, err = ReadSuite(at)
		isSuite := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			found.Unread = append(found.Unread, err.Error())
		}
		if info, err := os.Stat(filepath.Join(at, SuiteFile)); err == nil {
			s.alive = !s.Done && time.Since(info.ModTime()) < Silence
		}
		newestFirst(entries)
		for _, e := range entries {
			name := strings.TrimPrefix(below+"/"+e.Name(), "/")
			switch {
			case !e.IsDir():
				continue
			case len(found.List) >= maxIndexed:
				found.Skipped++
				s.read[e.Name()] = true // who knows
				continue
			case top && exists(filepath.Join(at, e.Name(), SuiteFile)):
				if err := read(name, false); err != nil {
					found.Unread = append(found.Unread, err.Error())
				}
				continue
			}
			r, err := readRun(at, e.Name(), s.Suite)
			r.Dir, r.Batch = name, name
			if r.ofSuite {
				r.Batch = "suite " + below
			}
			switch {
			case err == nil:
				found.List = append(found.List, r)
				s.read[e.Name()] = true
			case errors.Is(err, errUnderWay):
				found.UnderWay++
				s.alive = s.alive || !s.Done
			case !errors.Is(err, errNoRun):
				found.Unread = append(found.Unread, name+": "+err.Error())
				s.read[e.Name()] = true // that is said already
			}
		}
		if isSuite {
			suites = append(suites, s)
		}
		return nil
	}
	err := read("", true)
	found.Lost = lost(suites)
	slices.SortStableFunc(found.List, func(a, b Found) int { return b.Started.Compare(a.Started) })
	return found, err
}

// newestFirst sorts directories of runs and suites, whose names have the time in them.
func newestFirst(entries []os.DirEntry) {
	began := func(e os.DirEntry) string { return strings.TrimPrefix(e.Name(), "suite-") }
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(began(b), began(a)) })
}

// lost returns what was to be run, did not pass, left nothing that can be read, and was not run again in a later suite
// of the same name.
func lost(suites []foundSuite) (list []Outcome) {
	slices.SortStableFunc(suites, func(a, b foundSuite) int { return b.Started.Compare(a.Started) })
	later := make(map[[2]string]bool) // suites and their classes
	for _, s := range suites {
		of := func(o Outcome) string { return cmp.Or(o.Suite, s.Name) }
		for _, o := range s.Outcomes {
			class := o.Class
			if o.Part {
				class = "" // a later suite has all parts, or says which are missing
			}
			waiting := s.alive && o.Status == NotRun
			if o.Status != Passed && !waiting && !s.read[o.Dir] && !later[[2]string{of(o), class}] {
				list = append(list, o)
			}
		}
		for _, o := range s.Outcomes {
			later[[2]string{of(o), o.Class}], later[[2]string{of(o), ""}] = true, true
		}
	}
	return list
}

// readRun reads the summary of one run, and measures it by what a suite, if it is of one, said of it.
func readRun(dir, name string, s Suite) (Found, error) {
	run := Found{Dir: name}
	i := slices.IndexFunc(s.Outcomes, func(o Outcome) bool { return o.Dir == name })
	run.ofSuite = i >= 0
	r, err := readResults(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return deadRun(filepath.Join(dir, name), run)
	}
	if err != nil {
		return run, err
	}
	run.Summary = r.Summary
	if !run.ofSuite {
		run.Status = statusOf(r.Summary, r.Trouble != "", r.Summary.Expect)
		return run, nil
	}
	said := s.Outcomes[i]
	run.Status = statusOf(r.Summary, r.Trouble != "", Expectation(said.Expect))
	// The suite has seen how it ended. What its results say may be newer: they can be judged again.
	if run.Status == Passed && (said.Status == Broken || said.Status == NotRun) {
		run.Status = said.Status
	}
	if run.Status == said.Status && said.Why != "" {
		run.Why = said.Why
	}
	return run, nil
}

// statusOf measures a verdict by what was expected. By itself, a run with a planted bug is as it should be if that
// was found; if not, its verdict is unknown.
func statusOf(s Summary, trouble bool, expect Expectation) Status {
	planted := expect == "" && s.Bug != ""
	wanted := expect.Violation() || planted && s.Verdict != checkers.Unknown
	switch {
	case s.Verdict == checkers.Invalid && expect.Violation() && trouble:
		return Broken
	case s.Verdict == checkers.Invalid && wanted && (planted || expect.Unmet(s) == ""):
		return Passed
	case s.Verdict == checkers.Invalid:
		return Failed
	case trouble:
		return Broken
	case wanted && s.Missed:
		return Failed
	case s.Verdict == checkers.Unknown:
		return Unknown
	case wanted:
		return Failed
	default:
		return Passed
	}
}

// deadRun reads what is known of a run that left no results: its controller was killed, or is at work.
func deadRun(dir string, run Found) (Found, error) {
	b, err := os.ReadFile(filepath.Join(dir, history.TestFile))
	if err != nil {
		return run, errNoRun
	}
	t, err := checkers.Decode[history.Test](b)
	if err != nil {
		return run, err
	}
	last := time.Time{}
	for _, name := range append(history.Files(), history.TestFile) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if !run.ofSuite && time.Since(last) < Silence { // what a suite speaks of has ended
		return run, errUnderWay
	}
	run.Summary, run.Status, run.Dead = describe(t), Broken, true
	run.Why = "it never came to an end: 'sunder report' of its directory judges what was recorded"
	return run, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ReadSummary reads the summary of the run in a directory. It is an error, [fs.ErrNotExist], if that has no results.
func ReadSummary(dir string) (Summary, error) {
	r, err := readResults(dir)
	return r.Summary, err
}

func readResults(dir string) (results, error) {
	path := filepath.Join(dir, ResultsFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return results{}, err
	}
	r, err := checkers.Decode[results](b)
	if err == nil && r.Summary.Target == "" {
		err = errors.New("they do not say of what run they are")
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
