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
	if n := rapid.IntRange(0, len(nodes)-1).Draw(t, "first site"); n > 0 {
		v.Sites = [][]string{nodes[:n], nodes[n:]}
	}
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

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// Clients that hold something can be aimed at, in ways that mean something for a node that is on no side.
func TestAimsAtHolders(t *testing.T) {
	nodes := harness.NodeNames(3)
	v := harness.View{Nodes: nodes, Up: nodes, Companions: []string{"c1", "c2", "guard"}}
	r := random()
	for _, spec := range []string{"kill@holder", "pause@holder", "unplug@holder", "partition@holder", "delay:long@holder", "partition:one-way@holder"} {
		lanes, err := Default().Parse(spec, 1, 1)
		require.NoError(t, err)
		require.Nil(t, lanes[0].Nemesis.Next(r, v), "nobody holds anything")
		v.Holders = []string{"c2"}
		for range 20 {
			f := lanes[0].Nemesis.Next(r, v)
			require.Equal(t, []string{"c2"}, f.Nodes, spec)
			require.Equal(t, holder, f.Aim)
			require.NoError(t, Default().Deeds().Check(*f, append(harness.NodeNames(3), "c2")))
			require.Error(t, Default().Deeds().Check(*f, nodes), "c2 is not there")
			for _, l := range f.Deeds[0].Links {
				require.Contains(t, nodes, map[bool]string{true: l.To, false: l.From}[l.From == "c2"], "the guard can be reached")
			}
		}
		v.Holders = nil
		require.False(t, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: nodes}))
		require.True(t, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: nodes, Companions: []string{"c1"}}))
	}
	lanes, err := Default().Parse("partition:halves@holder", 1, 1)
	require.NoError(t, err)
	require.False(t, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: nodes, Companions: []string{"c1"}}))
	lanes, err = Default().Parse("pause@c1:n2", 1, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"n2", "c1"}, lanes[0].Nemesis.Next(r, v).Nodes)

	// Where nobody holds anything, none is ever drawn; where somebody does, one is now and then.
	lanes, err = Default().Parse("mix", 1, 1)
	require.NoError(t, err)
	v.Holders = []string{"c1"}
	hit := 0
	for range 300 {
		if f := lanes[0].Nemesis.Next(r, v); f != nil && f.Aim == holder {
			hit++
		}
	}
	require.Greater(t, hit, 10)
}

// Nodes can be aimed at by their names, those that there are.
func TestAimsMayNameNodes(t *testing.T) {
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3)}
	require.Equal(t, []string{"n1", "n3"}, targets(random(), v, "n3:n1"))
	require.Empty(t, targets(random(), v, "n1:n7"), "some of them are not there")
	for _, shape := range []string{"bridge@n1:n2", "majorities-ring@n1"} {
		lanes, err := Default().Parse("partition:"+shape, 1, 1)
		require.NoError(t, err)
		require.False(t, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: v.Nodes}), shape)
	}
	for _, aim := range []string{"", "one", "n", "n0", "n1:", "n1,n2", "node1"} {
		require.Nil(t, named(aim), aim)
	}
	lanes, err := Default().Parse("partition:halves@n2+kill@n1:n2", 1, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"n2"}, lanes[0].Nemesis.Next(random(), v).Nodes)
	require.False(t, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: []string{"n1"}}), "there is no n2")
}
