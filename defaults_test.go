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
	require.Equal(t, "mix", test.About.Nemesis)
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
