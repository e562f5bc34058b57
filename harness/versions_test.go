package harness_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// versions returns what the nodes say of which version they are.
func versions(t *testing.T, c *harness.Cluster, fake *harnesstest.Fake) (said []string) {
	for _, n := range c.Nodes() {
		v, err := fake.VersionOf(t.Context(), c.Node(n))
		require.NoError(t, err)
		said = append(said, v)
	}
	return said
}

// Nodes are of another version while a fault lasts, and what they were when the last one that holds them so is healed.
func TestRunVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		one, two := c.NewInjection(), c.NewInjection()
		require.NoError(t, one.RunVersion(t.Context(), "v2", "n1", "n2"))
		evidence, err := one.Evidence()
		require.NoError(t, err)
		require.JSONEq(t, `{"version v2":["n1","n2"],"says":{"n1":"v2","n2":"v2"}}`, string(evidence))
		require.Equal(t, []string{"v2", "v2", "", "", ""}, versions(t, c, fake))
		require.NoError(t, two.RunVersion(t.Context(), "v2", "n2", "n3"))
		require.NoError(t, one.Heal(t.Context()))
		require.Equal(t, []string{"", "v2", "v2", "", ""}, versions(t, c, fake))
		require.NoError(t, two.Heal(t.Context()))
		require.Equal(t, make([]string, 5), versions(t, c, fake))
		require.NoError(t, c.Serving(t.Context()))
	})
}

// One node stays what it is; a node that says that it is something else is an error.
func TestVersionsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		most, rest := c.NewInjection(), c.NewInjection()
		require.NoError(t, most.RunVersion(t.Context(), "v2", "n1", "n2", "n3", "n4"))
		require.ErrorContains(t, rest.RunVersion(t.Context(), "v2", "n5"), "[n5] are all that are of the version that was launched")
		require.True(t, rest.DidNothing())
		require.NoError(t, rest.Heal(t.Context()))
		require.NoError(t, most.Heal(t.Context()))
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{WrongVersion: true})
		defer c.Close()
		in := c.NewInjection()
		require.ErrorContains(t, in.RunVersion(t.Context(), "v2", "n1"), "n1 is to be v2, and says that it is v1")
		require.NoError(t, in.Heal(t.Context()))
	})
}

// A node that is down meanwhile is started as what it is to be, whichever fault is healed first; one that is paused
// stays so.
func TestVersionsAndOtherFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		kill, pause, other := c.NewInjection(), c.NewInjection(), c.NewInjection()
		require.NoError(t, doKill(t.Context(), kill, "n1"))
		require.NoError(t, doPause(t.Context(), pause, "n2"))
		require.NoError(t, other.RunVersion(t.Context(), "v2", "n1", "n2", "n3"))
		require.NoError(t, kill.Heal(t.Context()))
		require.Equal(t, []string{"n1", "n3", "n4", "n5"}, c.View(t.Context()).Up, "n2 is restarted, and stands still as before")
		require.NoError(t, pause.Heal(t.Context()))
		require.Equal(t, []string{"v2", "v2", "v2", "", ""}, versions(t, c, fake))
		replaced := c.NewInjection()
		require.NoError(t, replaced.Replace(t.Context(), "n3"))
		require.NoError(t, replaced.Heal(t.Context()))
		require.Equal(t, []string{"v2", "v2", "v2", "", ""}, versions(t, c, fake), "a new member is of the same version")
		require.NoError(t, other.Heal(t.Context()))
		require.Equal(t, make([]string, 5), versions(t, c, fake))
	})
}
