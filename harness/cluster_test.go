package harness_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// launched returns a fake cluster that serves.
func launched(t *testing.T, m harnesstest.Mistakes) (*harness.Cluster, *harnesstest.Fake) {
	fake := harnesstest.New(m)
	c := harness.NewCluster(fake, fake, harness.NodeNames(5), func(string) {})
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	return c, fake
}

// What was done is undone in the opposite order, once, whatever of it fails.
func TestTheHealStack(t *testing.T) {
	c, _ := launched(t, harnesstest.Mistakes{})
	defer c.Close()
	in := c.NewInjection()
	var undone []int
	for i := range 3 {
		in.OnHeal(func(context.Context) error {
			undone = append(undone, i)
			if i == 1 {
				return errors.New("it is stuck")
			}
			return nil
		})
	}
	require.ErrorContains(t, in.Heal(t.Context()), "it is stuck")
	require.NoError(t, in.Heal(t.Context()))
	require.Equal(t, []int{2, 1, 0}, undone)
}

// What two faults broke is whole again only when both are healed.
func TestFaultsMayOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		ctx := t.Context()
		l := harness.Link{From: "n1", To: "n2"}
		first, second := c.NewInjection(), c.NewInjection()
		require.NoError(t, doCut(ctx, first, l))
		require.NoError(t, doCut(ctx, second, l, harness.Link{From: "n3", To: "n2"}))
		require.NoError(t, first.Heal(ctx))
		require.True(t, fake.Cut(l))
		require.NoError(t, second.Heal(ctx))
		require.False(t, fake.Cut(l))

		kill, pause := c.NewInjection(), c.NewInjection()
		require.NoError(t, doPause(ctx, pause, "n1"))
		require.NoError(t, doKill(ctx, kill, "n1", "n2"))
		require.Equal(t, []string{"n3", "n4", "n5"}, c.View(ctx).Up)
		require.NoError(t, kill.Heal(ctx))
		require.Equal(t, []string{"n2", "n3", "n4", "n5"}, c.View(ctx).Up, "n1 is started, and stands still as before")
		require.NoError(t, pause.Heal(ctx))
		require.Equal(t, harness.NodeNames(5), c.View(ctx).Up)
	})
}

// A kill or pause that finds its nodes down already did not happen.
func TestTheDeadCannotBeHitAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		require.NoError(t, doKill(t.Context(), c.NewInjection(), "n1"))
		in := c.NewInjection()
		require.NoError(t, doKill(t.Context(), in, "n1", "n2"))
		evidence, err := in.Evidence()
		require.NoError(t, err)
		require.JSONEq(t, `{"killed":["n2"],"already_down":["n1"]}`, string(evidence))
		require.ErrorContains(t, doKill(t.Context(), c.NewInjection(), "n1", "n2"), "were all down already")
		require.ErrorContains(t, doPause(t.Context(), c.NewInjection(), "n1"), "were all down already")
	})
}

// A cut is confirmed by what it swallows; if nobody is there to send, it cannot be.
func TestCutsAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		l := harness.Link{From: "n1", To: "n2"}
		in := c.NewInjection()
		require.NoError(t, doCut(t.Context(), in, l))
		evidence, err := in.Evidence()
		require.NoError(t, err)
		var seen struct {
			Lost map[string]int `json:"dropped_bytes"`
		}
		require.NoError(t, json.Unmarshal(evidence, &seen))
		require.Positive(t, seen.Lost["n1>n2"])
		require.NoError(t, in.Heal(t.Context()))

		require.NoError(t, doKill(t.Context(), c.NewInjection(), "n1"))
		require.ErrorContains(t, doCut(t.Context(), c.NewInjection(), l), "nobody sends on these links: [n1>n2]")
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{BlindCuts: true})
		defer c.Close()
		require.ErrorContains(t, doCut(t.Context(), c.NewInjection(), harness.Link{From: "n1", To: "n2"}), "nothing was lost on [n1>n2]")
	})
}

// What several faults do to a link adds up, and what one of them did is taken away alone.
func TestImpairmentsAddUp(t *testing.T) {
	require.Equal(t, harness.Impairment{Drop: true, Loss: 0.75}, harness.Impairment{Loss: 0.5}.And(harness.Impairment{Drop: true, Loss: 0.5}))
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		l := harness.Link{From: "n1", To: "n2"}
		cut, lossy := c.NewInjection(), c.NewInjection()
		require.NoError(t, doCut(t.Context(), cut, l))
		require.NoError(t, lossy.Impair(t.Context(), harness.Impairment{Loss: 0.5}, l))
		require.Equal(t, harness.Impairment{Drop: true, Loss: 0.5}, fake.State(l))
		require.NoError(t, cut.Heal(t.Context()))
		require.Equal(t, harness.Impairment{Loss: 0.5}, fake.State(l))
		require.NoError(t, lossy.Heal(t.Context()))
		require.Equal(t, harness.Impairment{}, fake.State(l))
	})
}

// A node that two faults unplug is plugged in again when both are healed; what is unplugged is not up,
// and cuts of its links are neither confirmed nor refuted.
func TestUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		first, second := c.NewInjection(), c.NewInjection()
		require.NoError(t, doUnplug(t.Context(), first, "n1", "n2"))
		require.ErrorContains(t, doUnplug(t.Context(), second, "n2"), "all down already")
		require.ElementsMatch(t, []string{"n1", "n2"}, fake.Unplugged())
		require.Equal(t, []string{"n3", "n4", "n5"}, c.View(t.Context()).Up)
		require.ErrorContains(t, doCut(t.Context(), c.NewInjection(), harness.Link{From: "n3", To: "n1"}), "nobody sends on these links")
		require.NoError(t, first.Heal(t.Context()))
		require.Equal(t, []string{"n2"}, fake.Unplugged())
		require.NoError(t, second.Heal(t.Context()))
		require.Empty(t, fake.Unplugged())
	})
}

// A cut that never began mends nothing when it is healed, least of all another's.
func TestACutThatNeverBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		l := harness.Link{From: "n1", To: "n2"}
		first, second := c.NewInjection(), c.NewInjection()
		require.NoError(t, doCut(t.Context(), first, l))
		fake.Mistakes.NoCounters = true
		require.ErrorContains(t, doCut(t.Context(), second, l), "the counters are gone")
		fake.Mistakes.NoCounters = false
		require.NoError(t, second.Heal(t.Context()))
		require.True(t, fake.Cut(l))
		require.NoError(t, first.Heal(t.Context()))
		require.False(t, fake.Cut(l))
	})
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
