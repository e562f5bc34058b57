package harness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// A member that says when it serves is not taken to serve before; what it said before it was killed counts no more.
func TestMembersThatAnnounceThatTheyServe(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fake := harnesstest.New(harnesstest.Mistakes{SilentAgain: silent})
			fake.Announcing = true
			h, results, err := run(t, t.Context(), aTest(t, fake, "kill=500ms/0s"))
			require.NoError(t, err)
			load, ok := h.Notes().Phase(history.PhaseLoad)
			require.True(t, ok)
			require.GreaterOrEqual(t, load.From, time.Second)
			if silent {
				require.Equal(t, checkers.Invalid, results["recovery"].Verdict)
				require.Contains(t, results["recovery"].Why, "has not logged that it serves")
				return
			}
			require.Equal(t, checkers.Valid, results["recovery"].Verdict, results["recovery"].Why)
		})
	}
}
