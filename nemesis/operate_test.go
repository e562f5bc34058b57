package nemesis

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// What no node says that it did is no fault that has acted: whether it was refused, or never answered.
func TestOperationsThatNobodyDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		c := harness.NewCluster(fake, fake, harness.NodeNames(3), func(string) {})
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		defer func() { require.NoError(t, c.Close()) }()
		require.NoError(t, c.Node("n3").Pause(t.Context()))
		for says, d := range map[string]harness.Deed{
			"refused: it does not lead": {Kind: "move-leader", Nodes: []string{"n2"}},
			"in doubt: ":                {Kind: "snapshot", Nodes: []string{"n3"}},
		} {
			in := c.NewInjection()
			require.ErrorContains(t, Default().Deeds()[d.Kind].Do(t.Context(), in, d), says)
			require.True(t, in.DidNothing())
		}
		in, d := c.NewInjection(), harness.Deed{Kind: "snapshot", Nodes: []string{"n3", "n1"}}
		require.NoError(t, Default().Deeds()[d.Kind].Do(t.Context(), in, d), "n1 did it")
		require.False(t, in.DidNothing())
	})
}
