package score

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child/childtest"
	"github.com/sunder-dev/sunder/reports/score"
)

func TestPlan(t *testing.T) {
	bugs := []Cell{{Target: "raft", Bug: "a"}, {Target: "raft", Bug: "b", HeldOut: true}}
	cells := Plan([]string{"swarm", "fixed"}, bugs, 4, "raft", 7, 2)
	var words []string
	for _, c := range cells {
		words = append(words, fmt.Sprintf("%s/%s/%d", c.Profile, c.Bug, c.Seed))
	}
	require.Equal(t, strings.Fields("swarm/a/7 fixed/a/7 swarm//7 fixed//7 swarm/b/7 fixed/b/7 swarm//8 fixed//8 "+
		"swarm/a/8 fixed/a/8 swarm//9 fixed//9 swarm/b/8 fixed/b/8 swarm//10 fixed//10"), words)
	require.Len(t, Plan([]string{"swarm"}, bugs, 0, "raft", 1, 3), 6)
	require.Equal(t, "--fail-fast --target raft --time-limit 1m0s --seed 7 --profile swarm --latency 0s --bug a",
		strings.Join(Cell{Profile: "swarm --latency 0s", Target: "raft", Bug: "a", Seed: 7}.Args(time.Minute), " "))
}

// pretend is a `sunder run` that leaves results as the bug's name says, and exits as it should.
const pretend = `
while [ $# -gt 0 ]; do case "$1" in --out) out=$2;; --bug) bug=$2;; esac; shift; done
dir=$out/run-$$; mkdir -p $dir
case "$bug" in
found) v=invalid; code=1; more=',"found":{"checker":"linear","after_ns":2500000000}';;
missed) v=unknown; code=2; more=',"missed":true';;
unsure) v=unknown; code=2; more='';;
crash) exit 1;;
'') v=valid; code=0; more='';;
esac
echo "{\"schema\":1,\"verdict\":\"$v\",\"summary\":{\"verdict\":\"$v\",\"target\":\"raft\",\"why\":\"because\",\"rate\":12$more},\"results\":[]}" >$dir/results.json
touch $dir/report.html; echo $dir/report.html; exit $code`

func TestRun(t *testing.T) {
	out := t.TempDir()
	var bugs []Cell
	for _, bug := range []string{"found", "missed", "unsure", "crash"} {
		bugs = append(bugs, Cell{Target: "raft", Bug: bug})
	}
	cells := Plan([]string{"swarm"}, bugs, 1, "raft", 1, 1)
	ended := 0
	r := Runner{Program: childtest.Shim(t, pretend), Out: out, Limit: time.Minute, Ended: func(int, int, score.Run) { ended++ }}
	s := score.Score{Limit: time.Minute, Profiles: []string{"swarm"}}
	require.NoError(t, r.Run(t.Context(), cells, &s))
	got := map[string]score.Status{}
	for _, run := range s.Runs {
		got[run.Bug] = run.Status
		kept := run.Dir != "" && exists(filepath.Join(out, run.Dir))
		require.Equal(t, run.Status == score.Unsure, kept, "%s: what is to be looked at is kept", run.Bug)
	}
	require.Equal(t, map[string]score.Status{
		"found": score.Found, "missed": score.Missed, "unsure": score.Unsure, "crash": score.Broken, "": score.Passed,
	}, got)
	require.Equal(t, 2500*time.Millisecond, s.Runs[0].After)
	require.Equal(t, "linear", s.Runs[0].Checker)
	require.Equal(t, 5, ended)

	// A score that is continued makes only what it does not have.
	saved, err := score.Read(out)
	require.NoError(t, err)
	require.Len(t, saved.Runs, 5)
	require.NoError(t, r.Run(t.Context(), append(cells, Cell{Profile: "swarm", Target: "raft", Bug: "found", Seed: 2}), &saved))
	require.Equal(t, 7, ended, "the new one, and the one that came to no verdict")

	// Without time, nothing is begun; an interrupted one is continued later.
	r.Budget = time.Second
	require.NoError(t, r.Run(t.Context(), []Cell{{Profile: "swarm", Target: "raft", Seed: 9}}, &saved))
	require.Equal(t, 7, ended)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Run(ctx, cells, &score.Score{}), context.Canceled)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
