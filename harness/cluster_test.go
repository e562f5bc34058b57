package harness_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// launched returns a fake cluster that serves.
func launched(t *testing.T, m harnesstest.Mistakes) (*harness.Cluster, *harnesstest.Fake) {
	fake := harnesstest.New(m)
	c := harness.NewCluster(fake, fake, harness.NodeNames(5), func(string) {})
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	return c, fake
}

// A cluster of which a node ends at once is not waited for.
func TestANodeThatEndsAtLaunchIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{Exits: true, NeverServes: true})
		start := time.Now()
		_, _, err := run(t, t.Context(), aTest(t, fake, "mix"))
		require.ErrorContains(t, err, "n1 ended by itself; n1 wrote nothing")
		require.Less(t, time.Since(start), 5*time.Second)
	})
}

func TestViewNamesTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		require.NoError(t, c.Serving(t.Context()))
		require.Equal(t, []string{"n1"}, c.View(t.Context()).Leaders)
		require.NoError(t, doKill(t.Context(), c.NewInjection(), "n1"))
		v := c.View(t.Context())
		require.Equal(t, []string{"n2"}, v.Leaders)
		require.NotContains(t, v.Up, "n1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, c.Serving(ctx), "n1 is not ready")
	})
}

// Who looks at a cluster does not wait for nodes that it cannot reach: those that clients are cut off from.
func TestStrandedNodesAreNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		in := c.NewInjection()
		require.NoError(t, in.Impair(t.Context(), harness.Impairment{Drop: true}, harness.Link{From: "n2", To: history.Clients}))
		v := c.View(t.Context())
		require.Equal(t, []string{"n2"}, v.Stranded)
		require.Contains(t, v.Up, "n2")
		require.NotContains(t, v.Statuses, "n2")
		require.NoError(t, in.Heal(t.Context()))
		v = c.View(t.Context())
		require.Empty(t, v.Stranded)
		require.Contains(t, v.Statuses, "n2")
	})
}
