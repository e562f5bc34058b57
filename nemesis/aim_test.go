package nemesis

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

func aRun(t *rapid.T) (*rand.Rand, harness.View) {
	nodes := harness.NodeNames(rapid.IntRange(1, 9).Draw(t, "nodes"))
	v := harness.View{Nodes: nodes, Up: nodes}
	if n := rapid.IntRange(0, 2).Draw(t, "leaders"); n > 0 {
		v.Leaders = rapid.Permutation(nodes).Draw(t, "order")[:min(n, len(nodes))]
	}
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), v
}

func TestTargetsHaveTheirSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		n := len(v.Nodes)
		for aim, want := range map[string]int{one: 1, leader: min(1, len(v.Leaders)), minority: max(1, (n-1)/2), majority: n/2 + 1, all: n} {
			hit := targets(r, v, aim)
			require.Len(t, hit, want, aim)
			require.Subset(t, v.Nodes, hit)
		}
		if len(v.Leaders) > 0 {
			require.Equal(t, v.Leaders[:1], targets(r, v, leader))
		}
	})
}
