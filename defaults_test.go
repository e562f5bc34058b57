package sunder_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// What a test leaves out is set, and what it says stays.
func TestDefaults(t *testing.T) {
	test, err := sunder.WithDefaults(harness.Test{Target: aRaft(t), Dir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, test.Validate())
	require.Equal(t, 5, test.Nodes)
	require.Equal(t, 10, test.Clients)
	require.Equal(t, "watch", test.About.Nemesis)
	require.Equal(t, "register", test.About.Workload)
	require.Equal(t, "local", test.About.Fleet)
	require.Equal(t, []string{"linear", "state", "leader", "recovery", "progress", "stats"}, test.About.Checkers)
	require.NotEmpty(t, test.About.Build["go"])

	fake := harnesstest.New(harnesstest.Mistakes{})
	test, err = sunder.WithDefaults(harness.Test{
		Target: harnesstest.Leaderless{Fake: fake}, Fleet: fake, Nodes: 1, Clients: 3, TimeLimit: time.Minute, Lanes: sunder.NoFaults(),
		Dir: t.TempDir(),
	})
	require.NoError(t, err)
	require.Equal(t, 3, test.Clients)
	require.Equal(t, time.Minute, test.TimeLimit)
	require.Equal(t, "none", test.About.Nemesis)
	require.Equal(t, "harnesstest.Leaderless", test.About.Target)
	require.Equal(t, []string{"linear", "recovery", "progress", "stats"}, test.About.Checkers, "nobody leads, and one has nobody to differ from")
}

// What is wrong with a test is said before there is a directory, and a workload that nobody judges is no test.
func TestDefaultsRefuse(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := sunder.WithDefaults(harness.Test{Target: aRaft(t), Nodes: -1})
	require.ErrorContains(t, err, "-1 nodes: at least 1")
	require.NoDirExists(t, "runs")
	_, err = sunder.WithDefaults(harness.Test{Target: aRaft(t), Workload: unjudged{}})
	require.ErrorContains(t, err, "nobody knows how a run of sunder_test.unjudged is to be judged")
	test, err := sunder.WithDefaults(harness.Test{Target: aRaft(t), Rate: 20, Dir: t.TempDir()})
	require.NoError(t, err)
	require.InDelta(t, 5, test.MinRate, 0, "a run that may make 20 calls a second cannot make 50")
}

type unjudged struct{ harness.Workload }

func (unjudged) Needs() []harness.Capability { return nil }
