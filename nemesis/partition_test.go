package nemesis

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

func possible(v harness.View, aim string) string {
	if aim == leader && len(v.Leaders) == 0 {
		return one
	}
	return aim
}

func hears(v harness.View, cut []harness.Link, node string) []string {
	return slices.DeleteFunc(slices.Clone(v.Nodes), func(other string) bool {
		return slices.Contains(cut, harness.Link{From: other, To: node})
	})
}

func symmetric(cut []harness.Link) bool {
	return !slices.ContainsFunc(cut, func(l harness.Link) bool {
		return !slices.Contains(cut, harness.Link{From: l.To, To: l.From})
	})
}

func TestEveryPartitionIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, rapid.SampledFrom(partitionShapes).Draw(t, "shape"), rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		seen := map[harness.Link]bool{}
		for _, l := range f.links {
			require.NotEqual(t, l.From, l.To)
			require.Subset(t, v.Nodes, []string{l.From, l.To})
			require.False(t, seen[l], "%v twice", l)
			seen[l] = true
		}
		require.Equal(t, f.shape != oneWay || len(f.links) == 0, symmetric(f.links))
		if f.aim == leader && len(v.Leaders) == 0 {
			require.Empty(t, f.links, "there is nobody to aim at")
		}
	})
}

// A partition along sites cuts one of them off, the leader's if that is aimed at, and nothing within one. Without sites
// there is none.
func TestPartitionsAlongSites(t *testing.T) {
	nodes := harness.NodeNames(5)
	v := harness.View{Nodes: nodes, Up: nodes, Leaders: []string{"n4"}, Sites: [][]string{{"n1", "n2"}, {"n3", "n4"}, {"n5"}}}
	for range 100 {
		f := partition.New(bySites, one).Next(random(), v)
		require.Contains(t, v.Sites, f.Nodes)
	}
	f := partition.New(bySites, leader).Next(random(), v)
	require.Equal(t, []string{"n3", "n4"}, f.Nodes)
	require.Len(t, f.Deeds[0].Links, 12)
	require.NotContains(t, f.Deeds[0].Links, harness.Link{From: "n3", To: "n4"})
	v.Sites = nil
	require.Nil(t, partition.New(bySites, "").Next(random(), v))
	r := random()
	for range 100 {
		require.NotEqual(t, bySites, partition.New("", "").Next(r, v).Shape)
	}
}

func TestIsolatedNodesHearNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, isolate, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		for _, n := range v.Nodes {
			if slices.Contains(f.nodes, n) {
				require.Equal(t, []string{n}, hears(v, f.links, n))
			} else {
				require.Equal(t, without(v.Nodes, f.nodes), hears(v, f.links, n))
			}
		}
	})
}

func TestHalvesAreAMinorityAndAMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		aim := possible(v, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		f := aimPartition(r, v, halves, aim)
		rest := without(v.Nodes, f.nodes)
		if len(v.Nodes) > 1 {
			require.NotEmpty(t, f.nodes)
		}
		if len(v.Nodes) > 2 && len(f.nodes) != len(rest) { // as halves of an even number may be
			require.Greater(t, len(rest), len(v.Nodes)/2)
		}
		for _, side := range [][]string{f.nodes, rest} {
			for _, n := range side {
				require.ElementsMatch(t, side, hears(v, f.links, n))
			}
		}
		if len(v.Leaders) > 0 && len(v.Nodes) > 1 && (aim == leader || aim == majority) {
			require.Equal(t, aim == leader, slices.Contains(f.nodes, v.Leaders[0]))
		}
	})
}

func TestHalvesOfAnEvenNumber(t *testing.T) {
	sizes := map[int]int{}
	v := harness.View{Nodes: harness.NodeNames(4), Up: harness.NodeNames(4), Leaders: []string{"n1"}}
	for seed := range uint64(400) {
		sizes[len(aimPartition(rand.New(rand.NewPCG(seed, 1)), v, halves, leader).nodes)]++
	}
	require.Len(t, sizes, 2)
	require.InDelta(t, 300, sizes[2], 40)
	require.InDelta(t, 100, sizes[1], 40)
}

func TestMajoritiesRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, majoritiesRing, one)
		views := map[string]bool{}
		for _, n := range v.Nodes {
			heard := hears(v, f.links, n)
			require.Greater(t, len(heard), len(v.Nodes)/2)
			views[strings.Join(heard, " ")] = true
		}
		if len(v.Nodes) > 2 {
			require.Len(t, views, len(v.Nodes), "two nodes see the same majority")
			require.NotEmpty(t, f.links)
		}
	})
}

func TestBridgesReachBothSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		aim := possible(v, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		f := aimPartition(r, v, bridge, aim)
		require.Len(t, f.nodes, 1)
		require.Equal(t, v.Nodes, hears(v, f.links, f.nodes[0]))
		if aim == leader && len(v.Leaders) > 0 {
			require.Equal(t, v.Leaders[:1], f.nodes)
		}
		for _, n := range without(v.Nodes, f.nodes) {
			if len(v.Nodes) > 2 {
				require.Less(t, len(hears(v, f.links, n)), len(v.Nodes), "%s hears everybody", n)
			}
		}
	})
}

func TestOneWayCutsAreOneWay(t *testing.T) {
	deaf, mute := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, oneWay, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		for _, l := range f.links {
			require.NotContains(t, f.links, harness.Link{From: l.To, To: l.From})
			require.Equal(t, slices.Contains(f.nodes, f.links[0].To), slices.Contains(f.nodes, l.To), "all deaf or all mute")
		}
		if len(f.links) > 0 {
			if slices.Contains(f.nodes, f.links[0].To) {
				deaf++
			} else {
				mute++
			}
		}
	})
	require.NotZero(t, deaf)
	require.NotZero(t, mute)
}
