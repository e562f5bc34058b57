package harness_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

func TestTestsAreValidated(t *testing.T) {
	fake := harnesstest.New(harnesstest.Mistakes{})
	require.NoError(t, aTest(t, fake, "mix").Validate())
	for want, spoil := range map[string]func(*harness.Test){
		"needs a target":             func(t *harness.Test) { t.Target = nil },
		"0 nodes":                    func(t *harness.Test) { t.Nodes = 0 },
		"0 clients":                  func(t *harness.Test) { t.Clients = 0 },
		"a rate of -1":               func(t *harness.Test) { t.Rate = -1 },
		"a time limit of 0s":         func(t *harness.Test) { t.TimeLimit = 0 },
		"operation timeout of 0s":    func(t *harness.Test) { t.OpTimeout = 0 },
		"timeouts for launch":        func(t *harness.Test) { t.RecoverTimeout = 0 },
		"a fault that is held for 0": func(t *harness.Test) { t.Lanes[0].Hold = 0 },
		"a rest of -1":               func(t *harness.Test) { t.Lanes[0].Rest = -1 },
		"is missing":                 func(t *harness.Test) { t.Lanes[0].Nemesis = nil },
	} {
		test := aTest(t, fake, "mix")
		spoil(test)
		require.ErrorContains(t, test.Validate(), want)
		require.Error(t, harness.Run(t.Context(), test))
	}
	test := aTest(t, fake, "mix")
	test.Dir = ""
	require.ErrorContains(t, harness.Run(t.Context(), test), "a directory")
}

// What target and fleet cannot do is refused before anything starts.
func TestNeedsAreValidated(t *testing.T) {
	fake := harnesstest.New(harnesstest.Mistakes{})
	test := aTest(t, fake, "mix")
	test.Target, test.Fleet = harnesstest.Leaderless{Fake: fake}, wired{fake}
	require.ErrorContains(t, test.Validate(), "nemesis mix needs link.cut, which the fleet does not have")
	test = aTest(t, fake, "mix")
	test.Workload = needy{test.Workload}
	require.ErrorContains(t, test.Validate(), "the workload needs txn, which the target does not have")
	require.ErrorIs(t, test.Validate(), harness.ErrUnsupported)
}

// wired is a fleet that cannot cut links.
type wired struct{ *harnesstest.Fake }

func (w wired) Can() []harness.Capability {
	return []harness.Capability{harness.NodeKill, harness.NodePause}
}

type needy struct{ harness.Workload }

func (needy) Needs() []harness.Capability { return []harness.Capability{"txn"} }
