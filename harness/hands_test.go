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
	"github.com/sunder-dev/sunder/nemesis"
)

// heldUp runs a test whose faults somebody asks for, who begins once the cluster serves.
func heldUp(
	t *testing.T, fake *harnesstest.Fake, somebody func(h *harness.Hands),
) (*history.History, map[string]checkers.Result, error) {
	test := aTest(t, fake, "none")
	test.Hands = harness.NewHands()
	go func() {
		<-test.Hands.Ready()
		somebody(test.Hands)
	}()
	return run(t, t.Context(), test)
}

func pick(t *testing.T, what, aim string) harness.Lane {
	lane, err := nemesis.Default().Pick(what, aim)
	require.NoError(t, err)
	return lane
}

// What is asked for while a run is under way is done, recorded and healed like any other fault, and is its schedule.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		h, results, err := heldUp(t, fake, func(h *harness.Hands) {
			time.Sleep(3 * time.Second)
			asked, err := h.Inject(pick(t, "isolate", "leader"), 0)
			require.NoError(t, err)
			require.NoError(t, asked.Unseen)
			require.Equal(t, []string{"n1"}, asked.Fault.Nodes)
			killed, err := h.Inject(pick(t, "kill", "n3"), 2*time.Second)
			require.NoError(t, err)
			_, err = h.Inject(nemesis.CutLinks(harness.Link{From: "n4", To: "n5"}), 0)
			require.NoError(t, err)
			require.True(t, fake.Cut(harness.Link{From: "n4", To: "n5"}))
			v, err := h.View()
			require.NoError(t, err)
			require.Len(t, v.Standing, 3)
			require.NotContains(t, v.Up, "n3")
			time.Sleep(3 * time.Second)
			v, err = h.View()
			require.NoError(t, err)
			require.Len(t, v.Standing, 2, "one was to be healed by itself")
			_, err = h.Heal(killed.ID, asked.ID)
			require.EqualError(t, err, "there is no fault 1 in force")
			v, err = h.View()
			require.NoError(t, err)
			require.Len(t, v.Standing, 1)
			healed, err := h.Heal()
			require.NoError(t, err)
			require.Len(t, healed, 1)
			_, err = h.Inject(pick(t, "pause", "n2"), 0) // which the end of the load heals
			require.NoError(t, err)
			time.Sleep(time.Second)
			require.NoError(t, h.End())
			synctest.Wait()
			_, err = h.Inject(pick(t, "pause", "n2"), 0)
			require.ErrorIs(t, err, harness.ErrIdleHands)
		})
		require.NoError(t, err)
		for name, r := range results {
			require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
		}
		end, ok := h.Notes().Phase(history.PhaseHeal)
		require.True(t, ok)
		require.Less(t, end.From, 15*time.Second, "the load ended before its time")
		s, err := harness.ScheduleOf(h)
		require.NoError(t, err)
		require.Len(t, s.Faults, 4)
		require.InDelta(t, 2, time.Duration(s.Faults[1].For).Seconds(), 0.3)
	})
}

// Somebody is told at once what cannot be done, and what was not seen to act.
func TestWhatHandsCannotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hands := harness.NewHands()
		_, err := hands.View()
		require.ErrorIs(t, err, harness.ErrIdleHands)
		_, results, err := heldUp(t, harnesstest.New(harnesstest.Mistakes{BlindCuts: true, NeverPauses: true}), func(h *harness.Hands) {
			asked, err := h.Inject(pick(t, "pause", "n1"), 0)
			require.NoError(t, err)
			require.Error(t, asked.Unseen)
			_, err = h.Inject(pick(t, "kill", "n9"), 0)
			require.ErrorContains(t, err, "no node fits that aim")
			require.NoError(t, h.End())
		})
		require.NoError(t, err)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
	})
}

// A heal that fails ends the run.
func TestHandsThatCannotHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := heldUp(t, harnesstest.New(harnesstest.Mistakes{StuckHeals: true}), func(h *harness.Hands) {
			_, err := h.Inject(pick(t, "isolate", "n1"), 0)
			require.NoError(t, err)
			_, err = h.Heal()
			require.Error(t, err)
		})
		require.ErrorContains(t, err, "heal partition:isolate")
	})
}
