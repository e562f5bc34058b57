package nemesis

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Times are shares of the election timeout.
func TestDirectorsScale(t *testing.T) {
	mean := func(unit time.Duration) (sum time.Duration) {
		for seed := range uint64(50) {
			s := Default().newSwarm(true, true)().(*swarm)
			e := s.drawEpisode(rand.New(rand.NewPCG(seed, 1)), harness.View{Can: everything(), Timing: &history.Timing{Election: unit}})
			sum += e.holds["kill"] + e.rest + e.slow + e.delay
		}
		return sum
	}
	require.InDelta(t, 10, float64(mean(10*time.Second))/float64(mean(time.Second)), 0.01)
}
