package nemesis

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

// aRun draws a cluster and a stream of randomness.
func aRun(t *rapid.T) (*rand.Rand, harness.View) {
	nodes := harness.NodeNames(rapid.IntRange(1, 9).Draw(t, "nodes"))
	v := harness.View{Nodes: nodes, Up: nodes}
	if n := rapid.IntRange(0, 2).Draw(t, "leaders"); n > 0 {
		v.Leaders = rapid.Permutation(nodes).Draw(t, "order")[:min(n, len(nodes))]
	}
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), v
}

// possible replaces an aim at a leader that is not there.
func possible(v harness.View, aim string) string {
	if aim == leader && len(v.Leaders) == 0 {
		return one
	}
	return aim
}

// hears returns the nodes that a node hears while links are cut, itself among them.
func hears(v harness.View, cut []harness.Link, node string) []string {
	return slices.DeleteFunc(slices.Clone(v.Nodes), func(other string) bool {
		return slices.Contains(cut, harness.Link{From: other, To: node})
	})
}

// symmetric says whether every link is cut along with the way back.
func symmetric(cut []harness.Link) bool {
	return !slices.ContainsFunc(cut, func(l harness.Link) bool {
		return !slices.Contains(cut, harness.Link{From: l.To, To: l.From})
	})
}

// Whatever the shape: links are between different nodes of the cluster, and none is cut twice.
func TestEveryPartitionIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, rapid.SampledFrom(partitionShapes).Draw(t, "shape"), rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		seen := map[harness.Link]bool{}
		for _, l := range f.Links {
			require.NotEqual(t, l.From, l.To)
			require.Subset(t, v.Nodes, []string{l.From, l.To})
			require.False(t, seen[l], "%v twice", l)
			seen[l] = true
		}
		require.Equal(t, f.Shape != oneWay || len(f.Links) == 0, symmetric(f.Links))
		if f.Aim == leader && len(v.Leaders) == 0 {
			require.Empty(t, f.Links, "there is nobody to aim at")
		}
	})
}

func TestIsolatedNodesHearNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, isolate, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		for _, n := range v.Nodes {
			if slices.Contains(f.Nodes, n) {
				require.Equal(t, []string{n}, hears(v, f.Links, n))
			} else {
				require.Equal(t, without(v.Nodes, f.Nodes), hears(v, f.Links, n))
			}
		}
	})
}

func TestHalvesAreAMinorityAndAMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		aim := possible(v, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		f := aimPartition(r, v, halves, aim)
		rest := without(v.Nodes, f.Nodes)
		if len(v.Nodes) > 1 {
			require.NotEmpty(t, f.Nodes)
		}
		if len(v.Nodes) > 2 && len(f.Nodes) != len(rest) { // as halves of an even number may be
			require.Greater(t, len(rest), len(v.Nodes)/2)
		}
		for _, side := range [][]string{f.Nodes, rest} {
			for _, n := range side {
				require.ElementsMatch(t, side, hears(v, f.Links, n))
			}
		}
		if len(v.Leaders) > 0 && len(v.Nodes) > 1 && (aim == leader || aim == majority) {
			require.Equal(t, aim == leader, slices.Contains(f.Nodes, v.Leaders[0]))
		}
	})
}

// An even number is cut in halves, most of the time, and in a minority and a majority too.
func TestHalvesOfAnEvenNumber(t *testing.T) {
	sizes := map[int]int{}
	v := harness.View{Nodes: harness.NodeNames(4), Up: harness.NodeNames(4), Leaders: []string{"n1"}}
	for seed := range uint64(400) {
		sizes[len(aimPartition(rand.New(rand.NewPCG(seed, 1)), v, halves, leader).Nodes)]++
	}
	require.Len(t, sizes, 2)
	require.InDelta(t, 300, sizes[2], 40)
	require.InDelta(t, 100, sizes[1], 40)
}

// A nemesis that finds nothing to do to a cluster is known before anything starts.
func TestCanAct(t *testing.T) {
	for spec, fewest := range map[string]int{"partition": 2, "kill": 1, "pause@leader": 1, "mix": 1, "partition:bridge": 3, "partition:majorities-ring": 3, "kill@majority": 1} {
		lanes, err := Parse(spec, time.Second, time.Second)
		require.NoError(t, err)
		for n := 1; n <= 5; n++ {
			require.Equal(t, n >= fewest, CanAct(lanes[0].Nemesis, harness.NodeNames(n)), "%s on %d", spec, n)
		}
	}
}

// A majorities-ring leaves every node in contact with a majority, and no two with the same.
func TestMajoritiesRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, majoritiesRing, one)
		views := map[string]bool{}
		for _, n := range v.Nodes {
			heard := hears(v, f.Links, n)
			require.Greater(t, len(heard), len(v.Nodes)/2)
			views[strings.Join(heard, " ")] = true
		}
		if len(v.Nodes) > 2 {
			require.Len(t, views, len(v.Nodes), "two nodes see the same majority")
			require.NotEmpty(t, f.Links)
		}
	})
}

func TestBridgesReachBothSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		aim := possible(v, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		f := aimPartition(r, v, bridge, aim)
		require.Len(t, f.Nodes, 1)
		require.Equal(t, v.Nodes, hears(v, f.Links, f.Nodes[0]))
		if aim == leader && len(v.Leaders) > 0 {
			require.Equal(t, v.Leaders[:1], f.Nodes)
		}
		for _, n := range without(v.Nodes, f.Nodes) {
			if len(v.Nodes) > 2 {
				require.Less(t, len(hears(v, f.Links, n)), len(v.Nodes), "%s hears everybody", n)
			}
		}
	})
}

func TestOneWayCutsAreOneWay(t *testing.T) {
	deaf, mute := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		f := aimPartition(r, v, oneWay, rapid.SampledFrom(partitionAims).Draw(t, "aim"))
		for _, l := range f.Links {
			require.NotContains(t, f.Links, harness.Link{From: l.To, To: l.From})
			require.Equal(t, slices.Contains(f.Nodes, f.Links[0].To), slices.Contains(f.Nodes, l.To), "all deaf or all mute")
		}
		if len(f.Links) > 0 {
			if slices.Contains(f.Nodes, f.Links[0].To) {
				deaf++
			} else {
				mute++
			}
		}
	})
	require.NotZero(t, deaf)
	require.NotZero(t, mute)
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

// The same seed and view give the same fault: a run can be told again.
func TestAimingIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, v := aRun(t)
		seed := rapid.Uint64().Draw(t, "again")
		lanes, err := Parse("partition,kill,pause", time.Second, 0)
		require.NoError(t, err)
		first := lanes[0].Nemesis.Next(rand.New(rand.NewPCG(seed, 1)), v)
		second := lanes[0].Nemesis.Next(rand.New(rand.NewPCG(seed, 1)), v)
		require.Equal(t, first, second)
		if first != nil {
			_, err = json.Marshal(first)
			require.NoError(t, err)
		}
	})
}

// Over many draws, every shape and aim comes.
func TestNothingIsLeftOut(t *testing.T) {
	nodes := harness.NodeNames(5)
	v := harness.View{Nodes: nodes, Up: nodes, Leaders: nodes[:1]}
	r := rand.New(rand.NewPCG(1, 1))
	lanes, err := Parse("mix", time.Second, time.Second)
	require.NoError(t, err)
	seen := map[string]int{}
	for range 1000 {
		switch f := lanes[0].Nemesis.Next(r, v).(type) {
		case Partition:
			seen[f.Shape]++
		case Kill:
			seen["kill "+f.Aim]++
		case Pause:
			seen["pause "+f.Aim]++
		}
	}
	for _, shape := range partitionShapes {
		require.NotZero(t, seen[shape], shape)
	}
	for _, aim := range aims {
		require.NotZero(t, seen["kill "+aim], aim)
		require.NotZero(t, seen["pause "+aim], aim)
	}
}

func TestDeadNodesAreNotPaused(t *testing.T) {
	v := harness.View{Nodes: harness.NodeNames(3), Up: []string{"n1", "n2"}, Leaders: []string{"n3"}}
	require.Nil(t, newPause("", leader).Next(rand.New(rand.NewPCG(1, 1)), v))
	v.Up = nil
	require.Nil(t, newPartition(halves, "").Next(rand.New(rand.NewPCG(1, 1)), v), "a cut that nobody would notice")
}

func TestUnplugAndLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, v := aRun(t)
		aim := possible(v, rapid.SampledFrom(aims).Draw(t, "aim"))
		u := newUnplug("", aim).Next(r, v).(Unplug)
		require.NotEmpty(t, u.Nodes)
		require.Subset(t, v.Nodes, u.Nodes)
		shape := rapid.SampledFrom(lossShapes).Draw(t, "shape")
		f := newLoss(shape, aim).Next(r, v)
		if len(v.Nodes) == 1 {
			require.Nil(t, f, "one node has no links")
			return
		}
		l := f.(Loss)
		require.InDelta(t, lossShares[shape], l.Share, 0)
		require.True(t, symmetric(l.Links))
		seen := map[harness.Link]bool{}
		for _, link := range l.Links {
			require.False(t, seen[link], "%v twice", link)
			seen[link] = true
			require.True(t, slices.Contains(l.Nodes, link.From) || slices.Contains(l.Nodes, link.To))
		}
	})
	v := harness.View{Nodes: harness.NodeNames(3), Up: []string{"n1"}, Unplugged: []string{"n2", "n3"}}
	for seed := range uint64(100) {
		require.Nil(t, newPartition("", "").Next(rand.New(rand.NewPCG(1, seed)), v), "nobody sends to anybody")
		require.Nil(t, newLoss("", "").Next(rand.New(rand.NewPCG(1, seed)), v))
	}
	require.Nil(t, newUnplug("", all).Next(rand.New(rand.NewPCG(1, 1)), harness.View{Nodes: v.Nodes}), "nobody is up")
	require.Equal(t, []string{"n1"}, newUnplug("", all).Next(rand.New(rand.NewPCG(1, 1)), v).(Unplug).Nodes)
}

func TestParse(t *testing.T) {
	lanes, err := Parse("partition:halves@leader+kill@one,pause=100ms/0s", 2*time.Second, time.Second)
	require.NoError(t, err)
	require.Len(t, lanes, 2)
	require.Equal(t, 2*time.Second, lanes[0].Hold)
	require.Equal(t, time.Second, lanes[0].Rest)
	require.Equal(t, "kill@one,pause", lanes[1].Name)
	require.Equal(t, 100*time.Millisecond, lanes[1].Hold)
	require.Zero(t, lanes[1].Rest)

	lanes, err = Parse("none", time.Second, time.Second)
	require.NoError(t, err)
	require.Empty(t, lanes)

	for spec, containers := range map[string]bool{"mix": false, "kill,unplug": true, "loss:half": true} {
		lanes, err := Parse(spec, time.Second, time.Second)
		require.NoError(t, err)
		require.Equal(t, containers, lanes[0].Containers, spec)
	}

	for spec, want := range map[string]string{
		"":                  "no nemesis is named",
		"earthquake":        `unknown family "earthquake"; known are kill, loss, partition, pause, unplug`,
		"partition:square":  `partition has no shape "square"; known are isolate`,
		"partition@nobody":  `partition has no aim "nobody"`,
		"kill:halves":       "kill has no shape to choose",
		"kill=1s":           `rhythm "1s" is not of the form hold/rest`,
		"kill=often/seldom": "is not of the form hold/rest",
	} {
		_, err := Parse(spec, time.Second, time.Second)
		require.ErrorContains(t, err, want, spec)
	}
}
