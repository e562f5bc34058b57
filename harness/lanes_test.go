package harness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// A fault that begins shortly before the end of the load is held for as long as the shortest: one that is healed at
// once was never tried, and the run would be unknown for it.
func TestNoFaultIsCutShort(t *testing.T) {
	for limit := 20 * time.Second; limit < 23*time.Second; limit += 300 * time.Millisecond {
		for _, spec := range []string{"kill=2s/1s", "partition:halves=2s/0s"} {
			synctest.Test(t, func(t *testing.T) {
				test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), spec)
				test.TimeLimit = limit
				h, _, err := run(t, t.Context(), test)
				require.NoError(t, err)
				require.NotEmpty(t, h.Notes().Faults)
				for _, f := range h.Notes().Faults {
					require.GreaterOrEqual(t, f.Healing-f.InForce, time.Second, "%s of %v", f.F, limit)
				}
			})
		}
	}
}

// A lane whose nemesis finds nobody to hit does not hold its last fault for good.
func TestALaneDoesNotStick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "pause@all=300ms/0s"))
		require.NoError(t, err)
		require.NoError(t, h.Notes().Err())
		faults := h.Notes().Faults
		require.Greater(t, len(faults), 5)
	})
}

// A lane that waits for elections hits the leader after each, beginning with the one that there is.
func TestLanesWaitForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "kill@leader=500ms/1s/leader-elected/200ms"))
		require.NoError(t, err)
		faults := h.Notes().Faults
		require.Greater(t, len(faults), 10)
		for _, f := range faults {
			require.Less(t, f.Healing-f.InForce, time.Second, "it is held for as long as it is to be")
		}
	})
}
