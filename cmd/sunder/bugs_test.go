package main

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
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/targets/raft"
)

var (
	bugSeeds = flag.Int("bugs.seeds", 0, "look for every planted bug with this many seeds")
	soakRuns = flag.Int("soak.runs", 0, "run the right Raft this many times, 20 s each")
)

// hunts are the runs that find each planted bug: the faults that bring it out, the load, and the
// checkers of which at least one must object.
var hunts = []struct {
	bug      string
	checkers []string
	flags    string
}{
	{"quorum-minus-one", []string{"linear", "leader"}, "--nemesis partition:halves@leader --time-limit 15s"},
	{"forget-vote", []string{"leader"}, "--nodes 3 --latency 50ms --target-flag election-timeout=200ms --nemesis partition:isolate@leader=40ms/0s+kill@one=20ms/400ms --time-limit 30s"},
	{"two-votes", []string{"leader"}, "--latency 20ms --nemesis kill@leader=400ms/500ms --time-limit 15s --launch-timeout 10s"},
	{"vote-stale-log", []string{"linear"}, "--nemesis partition:halves@leader=1s/0s --time-limit 30s"},
	{"commit-old-term", []string{"linear", "state"}, "--nodes 3 --rate 40 --mix read=50,write=50 --op-timeout 500ms --target-flag heartbeat=25ms,election-timeout=75ms,check-quorum=false --nemesis partition:isolate@leader=20ms/0s --time-limit 60s"},
	{"stale-read", []string{"linear"}, "--nemesis partition --time-limit 10s"},
	{"lease-read", []string{"linear"}, "--target-flag election-timeout=300ms --nemesis partition:halves@leader=2500ms/300ms+pause@leader=1500ms/100ms --time-limit 40s"},
	{"no-step-down", []string{"linear"}, "--nemesis pause@leader=1s/1s --time-limit 20s"},
	{"ack-before-fsync", []string{"linear", "leader"}, "--nemesis kill@all=300ms/2s --time-limit 15s"},
	{"ack-before-commit", []string{"linear"}, "--nemesis partition:isolate@leader --time-limit 10s"},
	{"cas-unchecked", []string{"linear"}, "--nemesis none --time-limit 10s"},
	{"apply-twice", []string{"linear"}, "--latency 20ms --keys 2 --clients 20 --rate 0 --mix read=50,write=50 --nemesis pause@minority=500ms/500ms --time-limit 20s"},
}

// TestEveryBugHasItsHunt holds the list of hunts against the list of bugs.
func TestEveryBugHasItsHunt(t *testing.T) {
	var hunted []string
	for _, h := range hunts {
		hunted = append(hunted, h.bug)
	}
	require.ElementsMatch(t, raft.BugNames(), hunted)
}

// TestEveryBugIsFound runs all hunts. It takes a while, so it is asked for (make bugs).
func TestEveryBugIsFound(t *testing.T) {
	if *bugSeeds == 0 {
		return
	}
	for _, hunt := range hunts {
		t.Run(hunt.bug, func(t *testing.T) {
			var took []time.Duration
			for seed := 1; seed <= *bugSeeds; seed++ {
				args := append([]string{"run", "-q", "-o", t.TempDir(), "--bug", hunt.bug, "--seed", fmt.Sprint(seed)}, strings.Fields(hunt.flags)...)
				code, stdout, _ := sunder(t, args...)
				at, by, why := firstFinding(t, lastLine(stdout))
				t.Logf("seed %d: exit %d at %v by %v: %s", seed, code, at.Round(time.Millisecond), by, why)
				if code != exitInvalid {
					t.Errorf("seed %d: not found\n%s", seed, stdout)
					continue
				}
				took = append(took, at)
				if !slices.ContainsFunc(by, func(name string) bool { return slices.Contains(hunt.checkers, name) }) {
					t.Errorf("seed %d: found by %v, not by %v", seed, by, hunt.checkers)
				}
			}
			slices.Sort(took)
			if len(took) > 0 {
				t.Logf("%s: found in %d of %d runs, after %v of load (median)", hunt.bug, len(took), *bugSeeds, took[len(took)/2].Round(time.Millisecond))
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
	for _, s := range h.Phases() {
		if s.Phase == history.PhaseLoad && at != history.Never {
			at = max(0, at-s.From)
		}
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
	if at != history.Never {
		return at
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
		code, stdout, stderr := sunder(t, "run", "-q", "-o", t.TempDir(), "--time-limit", "20s", "--seed", fmt.Sprint(seed))
		if code != exitValid {
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
