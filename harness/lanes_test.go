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
