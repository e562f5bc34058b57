package nemesis

import (
	"math/rand/v2"
	"testing"

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
