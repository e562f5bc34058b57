package nemesis

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

// Only nodes that are of the version that was launched are restarted as another, and one of them stays.
func TestVersion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		v.OtherVersions = []string{"v1", "v3"}
		v.OfOther = v.Nodes[:rapid.IntRange(0, len(v.Nodes)).Draw(t, "others")]
		f := otherVersion.New("", "").Next(r, v)
		if f == nil {
			return
		}
		require.Less(t, len(f.Nodes)+len(v.OfOther), len(v.Nodes))
		for _, n := range f.Nodes {
			require.NotContains(t, v.OfOther, n)
			require.Contains(t, v.Up, n)
		}
		require.NoError(t, Default().Deeds().Check(*f, v.Nodes))
	})
	r := rand.New(rand.NewPCG(1, 1))
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3), Leaders: []string{"n2"}, OtherVersions: []string{"v3"}}
	f := otherVersion.New("", leader).Next(r, v)
	require.Equal(t, []string{"n2"}, f.Nodes)
	require.JSONEq(t, `{"version":"v3"}`, string(f.Deeds[0].With))
	v.OtherVersions = nil
	require.Nil(t, otherVersion.New("", leader).Next(r, v), "there is one version")
}
