package harness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

func TestFailFast(t *testing.T) {
	for _, fast := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			test := aTest(t, harnesstest.New(harnesstest.Mistakes{StaleReads: true}), "mix")
			live := checkers.Default().Watch(test.About.Checkers, checkers.Options{})
			defer live.Stop()
			test.Judge, test.FailFast = live, fast
			var shown *history.Finding
			test.Progress = func(p harness.Progress) { shown = p.Finding }
			start := time.Now()
			h, results, err := run(t, t.Context(), test)
			require.NoError(t, err)
			require.Equal(t, checkers.Invalid, results["linear"].Verdict)
			notes := h.Notes()
			require.NoError(t, notes.Err())
			require.NotEmpty(t, notes.Findings)
			require.Equal(t, "linear", notes.Findings[0].Checker)
			require.NotNil(t, shown)
			_, ended := notes.Phase(history.PhaseEnd)
			require.True(t, ended, "it is healed, and read to its end")
			require.NotNil(t, notes.Last)
			for _, f := range notes.Faults {
				require.NotEqual(t, history.Never, f.Healed)
			}
			if took := time.Since(start); fast {
				require.Less(t, took, test.TimeLimit/2)
			} else {
				require.Greater(t, took, test.TimeLimit)
			}
		})
	}
}

// A right cluster is not found wrong, and so runs to its end.
func TestFailFastOfARightCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "mix")
		live := checkers.Default().Watch(test.About.Checkers, checkers.Options{})
		defer live.Stop()
		test.Judge, test.FailFast = live, true
		start := time.Now()
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Empty(t, h.Notes().Findings)
		require.Greater(t, time.Since(start), test.TimeLimit)
		for name, r := range results {
			require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
		}
	})
}
