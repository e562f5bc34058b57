package nemesis

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

func TestCanAct(t *testing.T) {
	for spec, fewest := range map[string]int{"partition": 2, "kill": 1, "pause@leader": 1, "mix": 1, "partition:bridge": 3, "partition:majorities-ring": 3, "kill@majority": 1} {
		lanes, err := Default().Parse(spec, time.Second, time.Second)
		require.NoError(t, err)
		for n := 1; n <= 5; n++ {
			require.Equal(t, n >= fewest, harness.CanAct(lanes[0].Nemesis, harness.Layout{Nodes: harness.NodeNames(n)}), "%s on %d", spec, n)
		}
	}
}

func TestAimingIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, v := aRun(t)
		seed := rapid.Uint64().Draw(t, "again")
		lanes, err := Default().Parse("partition,kill,pause", time.Second, 0)
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

func TestNothingIsLeftOut(t *testing.T) {
	nodes := harness.NodeNames(5)
	v := harness.View{Nodes: nodes, Up: nodes, Leaders: nodes[:1], Sites: [][]string{nodes[:3], nodes[3:]}}
	r := rand.New(rand.NewPCG(1, 1))
	lanes, err := Default().Parse("mix", time.Second, time.Second)
	require.NoError(t, err)
	seen := map[string]int{}
	for range 1000 {
		f := lanes[0].Nemesis.Next(r, v)
		seen[f.Shape]++
		seen[f.Family+" "+f.Aim]++
	}
	for _, shape := range partitionShapes {
		require.NotZero(t, seen[shape], shape)
	}
	for _, aim := range aims {
		require.NotZero(t, seen["kill "+aim], aim)
		require.NotZero(t, seen["pause "+aim], aim)
	}
}

func TestParse(t *testing.T) {
	lanes, err := Default().Parse("partition:halves@leader+kill@one,pause=100ms/0s", 2*time.Second, time.Second)
	require.NoError(t, err)
	require.Len(t, lanes, 2)
	require.Equal(t, 2*time.Second, lanes[0].Hold)
	require.Equal(t, time.Second, lanes[0].Rest)
	require.Equal(t, "kill@one,pause", lanes[1].Name)
	require.Equal(t, 100*time.Millisecond, lanes[1].Hold)
	require.Zero(t, lanes[1].Rest)

	lanes, err = Default().Parse("none", time.Second, time.Second)
	require.NoError(t, err)
	require.Empty(t, lanes)

	lanes, err = Default().Parse("kill=500ms/1s/leader-elected+pause=1s/0s/write-acknowledged/300ms", time.Second, time.Second)
	require.NoError(t, err)
	require.Equal(t, "leader-elected", lanes[0].When.String())
	require.Equal(t, "write-acknowledged/300ms", lanes[1].When.String())

	for spec, needs := range map[string][]harness.Capability{
		"kill": {harness.NodeKill}, "kill,unplug": {harness.NodeKill, harness.NodeUnplug}, "loss:half": {harness.LinkLoss},
		"unplug,mix": {harness.NodeUnplug, harness.LinkCut, harness.NodeKill, harness.NodePause},
		"mix":        {harness.LinkCut, harness.NodeKill, harness.NodePause},
	} {
		lanes, err := Default().Parse(spec, time.Second, time.Second)
		require.NoError(t, err)
		require.ElementsMatch(t, needs, lanes[0].Needs(), spec)
	}

	for spec, want := range map[string]string{
		"":                  "no nemesis is named",
		"earthquake":        `unknown family "earthquake"; known are ` + strings.Join(Default().Names(), ", "),
		"partition:square":  `partition has no shape "square"; known are isolate`,
		"partition@nobody":  `partition has no aim "nobody"`,
		"kill:halves":       "kill has no shape to choose",
		"kill=1s":           `rhythm "1s" is not of the form hold/rest`,
		"kill=1s/1s/soon":   `trigger "soon": there is no such event`,
		"kill=often/seldom": "is not of the form hold/rest",
	} {
		_, err := Default().Parse(spec, time.Second, time.Second)
		require.ErrorContains(t, err, want, spec)
	}
}
