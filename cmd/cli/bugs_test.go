package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
)

var (
	bugSeeds = flag.Int("bugs.seeds", 0, "look for every planted bug with this many seeds")
	soakRuns = flag.Int("soak.runs", 0, "run the right Raft this many times, 20 s each")
)

// TestEveryBugHasItsHunt holds what is said of bugs against the checkers that there are, and against the flags of a
// run.
func TestEveryBugHasItsHunt(t *testing.T) {
	a := app{Catalogue: Default()}
	named := map[string]bool{}
	for _, b := range a.planted() {
		require.False(t, named[b.Name], "%s twice", b.Name)
		named[b.Name] = true
		require.NoError(t, a.try(b.args()), b.Name)
		require.NotEmpty(t, b.Layer)
		require.NotEmpty(t, b.Source)
		require.NotEmpty(t, b.About)
		for _, checker := range finders(b.Bug) {
			_, _, err := a.Checkers.Find(checker)
			require.NoError(t, err, b.Name)
		}
	}
}

// finders are the checkers of which at least one must object to a planted bug.
func finders(b harness.Bug) []string { return strings.Split(b.Property, " or ") }

// TestEveryBugIsFound runs all hunts. It takes a while, so it is asked for (make bugs).
func TestEveryBugIsFound(t *testing.T) {
	if *bugSeeds == 0 {
		return
	}
	for _, bug := range (app{Catalogue: Default()}).hunted() {
		t.Run(bug.Name, func(t *testing.T) {
			var took []time.Duration
			for seed := 1; seed <= *bugSeeds; seed++ {
				args := append([]string{"run", "-q", "-o", t.TempDir(), "--seed", fmt.Sprint(seed)}, bug.args()...)
				code, stdout, _ := typed(t, args...)
				at, by, why := firstFinding(t, lastLine(stdout))
				t.Logf("seed %d: exit %d at %v by %v: %s", seed, code, at.Round(time.Millisecond), by, why)
				if code != child.Invalid {
					t.Errorf("seed %d: not found\n%s", seed, stdout)
					continue
				}
				took = append(took, at)
				if !slices.ContainsFunc(by, func(name string) bool { return slices.Contains(finders(bug.Bug), name) }) {
					t.Errorf("seed %d: found by %v, not by %v", seed, by, finders(bug.Bug))
				}
			}
			slices.Sort(took)
			if len(took) > 0 {
				t.Logf("%s: found in %d of %d runs, after %v of load (median)", bug.Name, len(took), *bugSeeds, took[len(took)/2].Round(time.Millisecond))
			}
		})
	}
}

// firstFinding returns when, on the run's own clock from the start of the load, a violation was
// first complete, and which checkers found any. It also demands the picture.
func firstFinding(t *testing.T, report string) (at time.Duration, by []string, why string) {
	t.Helper()
	page, err := os.ReadFile(report)
	require.NoError(t, err)
	h, dir, err := open(filepath.Dir(report), formatAuto, os.Stderr)
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(dir, reports.ResultsFile))
	require.NoError(t, err)
	var found struct{ Results []checkers.Result }
	require.NoError(t, json.Unmarshal(b, &found))
	at = history.Never
	for _, r := range found.Results {
		if r.Verdict != checkers.Invalid {
			continue
		}
		by = append(by, r.Checker)
		if complete := completeAt(h, r); complete < at {
			at, why = complete, r.Why
		}
	}
	if len(by) > 0 {
		require.Contains(t, string(page), "✗ INVALID")
	}
	if s, ok := h.Notes().Phase(history.PhaseLoad); ok && at != history.Never {
		at = max(0, at-s.From)
	}
	return at, by, why
}

// completeAt returns when the evidence of a finding was complete: the impossible answer of the first
// key, or the last of the events that it rests on.
func completeAt(h *history.History, r checkers.Result) time.Duration {
	at := history.Never
	for _, a := range r.Attach {
		var line checkers.Timeline
		if a.Kind != checkers.KindTimeline || json.Unmarshal(a.Data, &line) != nil {
			continue
		}
		for _, o := range line.Ops {
			if o.Culprit {
				at = min(at, o.Return)
			}
		}
	}
	if at != history.Never || len(r.Ops) == 0 {
		return at // it rests on no event, such as that nothing happened
	}
	last := time.Duration(0)
	for _, i := range r.Ops {
		last = max(last, h.Event(i).At)
	}
	return last
}

// TestSoak runs the right Raft again and again: a single alarm is a false one. It takes a while,
// so it is asked for (make soak).
func TestSoak(t *testing.T) {
	for seed := 1; seed <= *soakRuns; seed++ {
		code, stdout, stderr := typed(t, "run", "-q", "-o", t.TempDir(), "--time-limit", "20s", "--seed", fmt.Sprint(seed))
		if code != child.Valid {
			t.Errorf("seed %d: exit %d\n%s%s", seed, code, stdout, stderr)
			continue
		}
		for line := range strings.Lines(stdout) {
			if strings.HasPrefix(line, "progress") || strings.HasPrefix(line, "linear") {
				t.Logf("seed %d: %s", seed, strings.TrimSpace(line))
			}
		}
	}
}
