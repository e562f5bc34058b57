package sunder_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/story"
	"github.com/sunder-dev/sunder/targets/raft"
)

func TestMain(m *testing.M) {
	raft.ServeIfNode() // nodes of the built-in Raft are processes of this program
	goleak.VerifyTestMain(m)
}

func aRaft(t *testing.T, bugs ...string) *raft.Target {
	target, err := raft.New(nil, bugs...)
	require.NoError(t, err)
	return target
}

// Three fields are a test, with faults, a verdict, and a report.
func TestThreeFieldsAreATest(t *testing.T) {
	o := sunder.Require(t, harness.Test{Target: aRaft(t), TimeLimit: 8 * time.Second, Dir: t.TempDir()})
	require.Equal(t, checkers.Valid, o.Verdict)
	require.FileExists(t, o.Report)
	require.FileExists(t, filepath.Join(o.Dir, history.ScheduleFile))
	require.NotEmpty(t, o.History.Notes().Faults)
	var judged []string
	for _, r := range o.Results {
		judged = append(judged, r.Checker)
	}
	require.Equal(t, []string{"linear", "state", "leader", "recovery", "progress", "stats"}, judged, "with what keeps a green from meaning nothing")
}

// What is found is told as soon as it is, and reported.
func TestAViolationIsReported(t *testing.T) {
	var judged checkers.Verdict
	r := sunder.Runner{Judged: func(o sunder.Outcome) { judged = o.Verdict }}
	o, err := r.Run(t.Context(), harness.Test{
		Target: aRaft(t, "stale-read"), TimeLimit: 4 * time.Second, Dir: t.TempDir(), Lanes: sunder.NoFaults(), Nodes: 3,
	})
	require.NoError(t, err)
	require.Equal(t, checkers.Invalid, o.Verdict)
	require.Equal(t, checkers.Invalid, judged)
	require.Contains(t, []story.Class{story.StaleRead, story.LostWrite}, o.Summary.Story.Class)
	require.Equal(t, o.Summary.Story.Headline, o.Summary.Why)
	require.FileExists(t, o.Report)
}

// What cannot be run is an error before there is anything; what breaks is judged by what it recorded.
func TestErrors(t *testing.T) {
	_, err := sunder.Run(t.Context(), harness.Test{})
	require.ErrorContains(t, err, "a test needs a target")
	_, err = sunder.Run(t.Context(), harness.Test{Target: aRaft(t), Dir: t.TempDir(), Nodes: -1})
	require.ErrorContains(t, err, "-1 nodes: at least 1")

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, history.File+".zst"), nil, 0o600))
	_, err = sunder.Run(t.Context(), harness.Test{Target: aRaft(t), Dir: dir})
	require.ErrorContains(t, err, "has the history of a run already", "its verdict must not be that of another")

	target := aRaft(t)
	target.Program = filepath.Join(t.TempDir(), "nothing")
	o, err := sunder.Run(t.Context(), harness.Test{Target: target, Dir: t.TempDir(), TimeLimit: time.Second})
	require.ErrorContains(t, err, "launch n")
	require.Equal(t, checkers.Unknown, o.Verdict)
	require.ErrorContains(t, o.Trouble, "launch n")
	require.FileExists(t, o.Report, "there is a page all the same")

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	o, err = sunder.Run(ctx, harness.Test{Target: aRaft(t), Dir: t.TempDir(), Lanes: sunder.NoFaults(), Nodes: 3})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotEmpty(t, o.Results, "an interrupted run is judged")
}
