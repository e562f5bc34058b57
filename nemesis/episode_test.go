package nemesis

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Times are shares of the election timeout. Where that is long, faults and rests that are much shorter come too.
func TestDirectorsScale(t *testing.T) {
	mean := func(unit time.Duration) (sum float64) {
		for seed := range uint64(50) {
			s := Default().newSwarm(true, true)().(*swarm)
			e := s.drawEpisode(rand.New(rand.NewPCG(seed, 1)), harness.View{Can: everything(), Timing: &history.Timing{Election: unit}})
			if !e.single { // it is not sparse
				sum += (e.holds["kill"] + e.rest).Seconds()
			}
		}
		return sum
	}
	require.InDelta(t, 2, mean(100*time.Millisecond)/mean(50*time.Millisecond), 0.01)
	require.Greater(t, mean(4*time.Second), 1.5*mean(time.Second))
	require.Less(t, mean(4*time.Second), 3.5*mean(time.Second))
}

// Some episodes are of single short faults, with no slow links and nothing rare, whatever the election timeout.
func TestSparseEpisodes(t *testing.T) {
	sparse := 0
	for seed := range uint64(300) {
		s := Default().newSwarm(true, true)().(*swarm)
		e := s.drawEpisode(rand.New(rand.NewPCG(seed, 1)), harness.View{Can: everything(), Timing: &history.Timing{Election: 10 * time.Second}})
		if !e.single {
			continue
		}
		sparse++
		require.Equal(t, 1, e.most)
		require.Zero(t, e.slow)
		require.Empty(t, e.rare)
		for _, hold := range e.holds {
			require.Less(t, hold, time.Second)
		}
	}
	require.InDelta(t, 120, sparse, 40)
}
