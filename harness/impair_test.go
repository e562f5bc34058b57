package harness_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

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

// What is done to packets is confirmed by what links count of it, each kind for itself, and not on links that are cut.
func TestPacketFaultsAreConfirmed(t *testing.T) {
	for evidence, i := range map[string]harness.Impairment{
		"dropped_bytes": {Loss: 0.5}, "queued_packets": {Rate: 1000}, "overtaken_packets": {Reorder: 0.5},
		"duplicated_packets": {Duplicate: 0.5}, "corrupted_packets": {Corrupt: 0.5},
	} {
		l, cut := harness.Link{From: "n1", To: "n2"}, harness.Link{From: "n1", To: "n3"}
		synctest.Test(t, func(t *testing.T) {
			c, fake := launched(t, harnesstest.Mistakes{})
			defer c.Close()
			require.NoError(t, doCut(t.Context(), c.NewInjection(), cut))
			in := c.NewInjection()
			require.NoError(t, in.Impair(t.Context(), i, l, cut))
			seen, err := in.Evidence()
			require.NoError(t, err)
			var counts map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(seen, &counts))
			var links map[string]int
			require.NoError(t, json.Unmarshal(counts[evidence], &links), evidence)
			require.Positive(t, links["n1>n2"])
			require.NoError(t, in.Heal(t.Context()))
			require.Zero(t, fake.State(l))
		})
		synctest.Test(t, func(t *testing.T) {
			c, _ := launched(t, harnesstest.Mistakes{Inert: true})
			defer c.Close()
			require.ErrorContains(t, c.NewInjection().Impair(t.Context(), i, l), "on [n1>n2] within 2s")
		})
	}
}

// Jitter alone is refused: nothing would show that it acts.
func TestJitterNeedsADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		l := harness.Link{From: "n1", To: "n2"}
		require.ErrorContains(t, c.NewInjection().Impair(t.Context(), harness.Impairment{Jitter: time.Second}, l), "jitter is added")
		require.Zero(t, fake.State(l))
	})
}

// A link that was measured while the machine stood still seems to be no later than before: it is measured once more.
func TestADelayAfterAStall(t *testing.T) {
	late := harness.Impairment{Delay: 50 * time.Millisecond}
	l := harness.Link{From: "n1", To: "n2"}
	for stalls, confirmed := range map[int]bool{0: true, 5: true, 10_000: false} {
		synctest.Test(t, func(t *testing.T) {
			c, fake := launched(t, harnesstest.Mistakes{Stalls: stalls, Inert: !confirmed})
			defer c.Close()
			in := c.NewInjection()
			err := in.Impair(t.Context(), late, l)
			if confirmed {
				require.NoError(t, err)
				require.Equal(t, late, fake.State(l), "once")
			} else {
				require.ErrorContains(t, err, "[n1>n2] were not seen to take 50ms longer than before")
			}
			require.NoError(t, in.Heal(t.Context()))
			require.Zero(t, fake.State(l))
		})
	}
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

// A cut that let something pass after it was confirmed is an error of the run.
func TestACutThatLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{LeakyCuts: true})
		defer c.Close()
		in := c.NewInjection()
		l := harness.Link{From: "n1", To: "n2"}
		require.NoError(t, doCut(t.Context(), in, l))
		require.ErrorContains(t, in.Heal(t.Context()), "link n1>n2 was cut, and 1 bytes have passed it")
		require.False(t, fake.Cut(l), "it is mended all the same")
	})
}

// Counters that begin anew are no bytes that have passed.
func TestCountersThatBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{NewCounters: true})
		defer c.Close()
		in := c.NewInjection()
		require.NoError(t, doCut(t.Context(), in, harness.Link{From: "n1", To: "n2"}))
		err := in.Heal(t.Context())
		require.ErrorContains(t, err, "the counters of link n1>n2 began anew while it was cut")
		require.NotContains(t, err.Error(), "bytes have passed")
	})
}
