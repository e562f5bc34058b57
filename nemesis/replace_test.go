package nemesis

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// One member that runs is replaced, of three at the least.
func TestReplace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	v := harness.View{Nodes: harness.NodeNames(3), Up: []string{"n1", "n3"}, Leaders: []string{"n3"}}
	require.Equal(t, []string{"n3"}, replace.New("", leader).Next(r, v).Nodes)
	for range 100 {
		if f := replace.New("", one).Next(r, v); f != nil {
			require.Len(t, f.Nodes, 1)
			require.NotEqual(t, "n2", f.Nodes[0], "it does not run")
		}
	}
	require.Nil(t, replace.New("", leader).Next(r, harness.View{Nodes: v.Nodes, Up: v.Up}), "nobody leads")
	v.Nodes = harness.NodeNames(2)
	require.Nil(t, replace.New("", one).Next(r, v))
}
