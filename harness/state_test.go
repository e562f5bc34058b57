package harness_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

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

// A deed that crashes ends the run, which is healed, and not the program.
func TestADeedThatCrashesEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "none")
		test.Deeds = harness.Deeds{"crash": {
			About: "crash", Takes: func(harness.Deed) (history.Takes, error) { return history.Takes{}, nil },
			Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
				return in.Hold(ctx, harness.State{
					Name: "crashed", Enter: func(context.Context, harness.Node) error { panic("it was not meant to be") },
					Leave: func(context.Context, harness.Node) error { return nil },
				}, "n1")
			},
		}}
		test.Schedule = &harness.Schedule{Version: 1, Faults: []harness.Scheduled{{
			At: harness.Time(time.Second), For: harness.Time(time.Second),
			Fault: &harness.Fault{Family: "crash", Deeds: []harness.Deed{{Kind: "crash"}}},
		}}}
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err, "the fault is not confirmed")
		require.Contains(t, h.Notes().Faults[0].Err, "the deed crashed: it was not meant to be")
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
		require.True(t, fake.Closed)
	})
}
