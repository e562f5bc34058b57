package nemesis

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

func TestUnplug(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := unplug.New("", possible(v, rapid.SampledFrom(aims).Draw(t, "aim"))).Next(r, v)
		require.NotEmpty(t, f.Nodes)
		require.Subset(t, v.Nodes, f.Nodes)
	})
	v := harness.View{Nodes: harness.NodeNames(3), Up: []string{"n1"}, Unplugged: []string{"n2", "n3"}}
	r := rand.New(rand.NewPCG(1, 1))
	require.Nil(t, unplug.New("", all).Next(r, harness.View{Nodes: v.Nodes}), "nobody is up")
	require.Equal(t, []string{"n1"}, unplug.New("", all).Next(r, v).Nodes)
	for range 100 {
		require.Nil(t, partition.New("", "").Next(r, v), "nobody sends to anybody")
		require.Nil(t, loss.New("", "").Next(r, v))
		require.Nil(t, delay.New("", "").Next(r, v))
	}
}

// Loss and delay hit all links of the nodes that they are aimed at, both ways, each once, and as much as their shape
// says.
func TestLossAndDelay(t *testing.T) {
	for name, family := range map[string]Family{"loss": loss, "delay": delay} {
		rapid.Check(t, func(t *rapid.T) {
			r, v := aRun(t)
			shape := rapid.SampledFrom(family.Shapes).Draw(t, "shape")
			f := family.New(shape, possible(v, rapid.SampledFrom(aims).Draw(t, "aim"))).Next(r, v)
			if len(v.Nodes) == 1 {
				require.Nil(t, f, "one node has no links")
				return
			}
			require.Equal(t, name, f.Family)
			deed := f.Deeds[0]
			switch name {
			case "loss":
				s, err := harness.Settings[lossSettings](deed)
				require.NoError(t, err)
				require.InDelta(t, lossShares[shape], s.Share, 0)
			case "delay":
				s, err := harness.Settings[delaySettings](deed)
				require.NoError(t, err)
				require.Equal(t, delays[shape], s.By)
			}
			require.True(t, symmetric(deed.Links))
			seen := map[harness.Link]bool{}
			for _, link := range deed.Links {
				require.False(t, seen[link], "%v twice", link)
				seen[link] = true
				require.True(t, slices.Contains(f.Nodes, link.From) || slices.Contains(f.Nodes, link.To))
			}
		})
	}
	require.Less(t, time.Duration(delays["short"]), time.Duration(delays["long"]))
}
