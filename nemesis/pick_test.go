package nemesis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// Of the faults that make links slow some do so one way only.
func TestSlowOneWay(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	s.episode.delay = leastDelay
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3), Leaders: []string{"n1"}}
	sizes := map[int]int{}
	r := aRand()
	for range 100 {
		f := s.make(r, v, "delay", leader)
		sizes[len(f.Deeds[0].Links)]++
		to := map[bool]int{}
		for _, l := range f.Deeds[0].Links {
			to[l.To == "n1"]++
		}
		sizes[-1-to[true]]++ // links to n1: none, two, or two of four
	}
	require.Len(t, sizes, 4, "%v", sizes) // -1, -3; 2, 4
	require.Positive(t, sizes[2])
	require.Positive(t, sizes[4])
	require.Positive(t, sizes[-1])
}
