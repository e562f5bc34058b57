package harness_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/nemesis"
)

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

// A deed that did nothing, and says so, is no fault; the history says that too.
func TestDeedsThatDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{NeverPauses: true}), "pause@one"))
		require.NoError(t, err)
		for _, f := range h.Notes().Faults {
			require.True(t, f.Nothing)
			require.False(t, f.Confirmed)
		}
		require.Contains(t, results["progress"].Why, "were not confirmed to act: pause at")
		require.Contains(t, results["progress"].Why, "unable to freeze")
	})
}

// A fault of two deeds, of which one found nothing to do, has acted; each has its own evidence.
func TestAFaultOfTwoDeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Deeds = nemesis.Default().Deeds()
		second := harness.Time(time.Second)
		kill := harness.Deed{Kind: "kill", Nodes: []string{"n3"}}
		test.Schedule = &harness.Schedule{Version: 1, Faults: []harness.Scheduled{
			{At: second, For: 5 * second, Fault: &harness.Fault{Family: "kill", Deeds: []harness.Deed{kill}}},
			{At: 2 * second, For: second, Fault: &harness.Fault{Family: "both", Deeds: []harness.Deed{
				{Kind: "pause", Nodes: []string{"n2"}}, kill,
			}}},
			{At: 10 * second, For: second, Fault: &harness.Fault{Family: "two", Deeds: []harness.Deed{
				kill, {Kind: "kill", Nodes: []string{"n4"}},
			}}},
		}}
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		faults := h.Notes().Faults
		require.False(t, faults[1].Nothing, "n2 was paused")
		require.False(t, faults[1].Confirmed, "and n3 was not killed by it")
		require.JSONEq(t, `{"killed":["n3"],"killed_2":["n4"]}`, string(faults[2].Evidence))
	})
}
