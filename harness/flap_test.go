package harness_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// A link that flaps is cut now and then, as often from the same seed, and is as it was once that is healed.
func TestFlap(t *testing.T) {
	l := harness.Link{From: "n1", To: "n2"}
	watch := func(seed uint64) (cut []bool) {
		synctest.Test(t, func(t *testing.T) {
			c, fake := launched(t, harnesstest.Mistakes{})
			defer c.Close()
			in := c.NewInjection()
			f := harness.Flap{Cut: 40 * time.Millisecond, Open: 80 * time.Millisecond, Seed: seed}
			began := time.Now()
			require.NoError(t, in.Flap(t.Context(), f, l))
			// It returns once a loss was seen, which may take a look or two: the spells are counted from the call.
			<-time.After(time.Until(began.Add(time.Second + time.Microsecond)))
			for range 1000 {
				cut = append(cut, fake.State(l).Drop)
				<-time.After(5 * time.Millisecond)
			}
			require.NoError(t, in.Heal(t.Context()))
			require.Zero(t, fake.State(l))
			synctest.Wait()
		})
		return cut
	}
	first := watch(1)
	share, turns := 0, 0
	for i, cut := range first {
		if cut {
			share++
		}
		if i > 0 && cut != first[i-1] {
			turns++
		}
	}
	require.InDelta(t, 333, share, 150)
	require.Greater(t, turns, 30)
	require.Equal(t, first, watch(1))
	require.NotEqual(t, first, watch(2))
}

// A flap that nobody sees is not confirmed, and one that cannot be undone is an error of the heal.
func TestFlapsThatFail(t *testing.T) {
	l := harness.Link{From: "n1", To: "n2"}
	f := harness.Flap{Cut: 40 * time.Millisecond, Open: 80 * time.Millisecond}
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{BlindCuts: true})
		defer c.Close()
		in := c.NewInjection()
		require.ErrorContains(t, in.Flap(t.Context(), f, l), "nothing was lost on [n1>n2]")
		require.NoError(t, in.Heal(t.Context()))
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{StuckHeals: true})
		defer c.Close()
		in := c.NewInjection()
		err := in.Flap(t.Context(), f, l)
		require.ErrorContains(t, errors.Join(err, in.Heal(t.Context())), "the scissors are stuck")
	})
}
