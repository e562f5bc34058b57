package harness_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// States that had diverged, and were the same again at the end, are found all the same; so is the revision at which
// that began.
func TestStatesAreComparedAroundHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{DivergedAt: 700, HealedAt: 1500})
		h, results, err := run(t, t.Context(), aTest(t, fake, "pause@one"))
		require.NoError(t, err)
		require.Equal(t, checkers.Invalid, results["state"].Verdict, results["state"].Why)
		require.Contains(t, results["state"].Why, "states have diverged: at revision 700, ")
		require.Contains(t, results["state"].Why, "it is the first revision that differs")
		last := h.Notes().Hashes[len(h.Notes().Hashes)-1]
		require.NotEqual(t, "something else", last.What.Sum)
	})
	synctest.Test(t, func(t *testing.T) { // without any fault, too
		fake := harnesstest.New(harnesstest.Mistakes{DivergedAt: 700, HealedAt: 1500})
		_, results, err := run(t, t.Context(), aTest(t, fake, "none"))
		require.NoError(t, err)
		require.Equal(t, checkers.Invalid, results["state"].Verdict, results["state"].Why)
		require.Contains(t, results["state"].Why, "it is the first revision that differs")
	})
	synctest.Test(t, func(t *testing.T) {
		_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "pause@one"))
		require.NoError(t, err)
		require.Equal(t, checkers.Valid, results["state"].Verdict, results["state"].Why)
		require.NotContains(t, results["state"].Why, " 0 of them before the last heal")
	})
}
