package nemesis

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

// What comes and goes are all links of the nodes that are hit, by times of a seed of the fault's own.
func TestFlaky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := flaky.New("", possible(v, rapid.SampledFrom(aims).Draw(t, "aim"))).Next(r, v)
		if len(v.Nodes) == 1 {
			require.Nil(t, f)
			return
		}
		require.ElementsMatch(t, around(v, f.Nodes), f.Deeds[0].Links)
		how, err := flapOf(f.Deeds[0])
		require.NoError(t, err)
		again, err := flapOf(flaky.New("", f.Aim).Next(r, v).Deeds[0])
		require.NoError(t, err)
		require.NotEqual(t, how.Seed, again.Seed)
		require.Equal(t, harness.Flap{Cut: how.Cut, Open: how.Open, Seed: again.Seed}, again)
	})
}
