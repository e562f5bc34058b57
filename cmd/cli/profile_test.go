package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planned puts a run together and returns it, and its flags as they are recorded.
func planned(t *testing.T, args ...string) (*plan, map[string]string) {
	f := runFlags{app: app{Catalogue: Default()}}
	cmd := f.newRun(&f)
	require.NoError(t, cmd.ParseFlags(args))
	p, err := f.plan(cmd.Flags())
	require.NoError(t, err)
	t.Cleanup(func() { _ = closeTarget(p.test.Target) })
	return p, optionsOf(cmd.Flags())
}

// What a seed draws is what its command says, and a run by that command is the same.
func TestTheSwarmIsRecorded(t *testing.T) {
	drawn := map[string]bool{}
	for seed := range 30 {
		p, options := planned(t, "--seed", fmt.Sprint(seed))
		drawn[p.drawnWords()] = true
		again, theirs := planned(t, words(strings.TrimPrefix(p.test.About.Command, "sunder run "))...)
		delete(options, "profile")
		delete(theirs, "profile")
		require.Equal(t, options, theirs)
		require.Equal(t, p.test.Nodes, again.test.Nodes)
		require.Equal(t, p.test.About.Command, again.test.About.Command)
		require.NotEmpty(t, p.fleets)
	}
	require.Greater(t, len(drawn), 25)
}

func TestWhatIsGivenIsNotDrawn(t *testing.T) {
	for seed := range 10 {
		p, _ := planned(t, "--seed", fmt.Sprint(seed), "--nodes", "7", "--rate", "300", "--nemesis", "kill", "--latency", "20ms")
		require.Equal(t, 7, p.test.Nodes)
		require.Nil(t, p.test.Tide, "a rate that is given is kept")
		require.Equal(t, "kill", p.test.Lanes[0].Name)
		require.NotContains(t, p.drawn, "target-flag", "not all timeouts bear a latency")
	}
	p, _ := planned(t, "--profile", "fixed", "--seed", "3")
	require.Equal(t, 5, p.test.Nodes)
	require.Equal(t, 10, p.test.Clients)
	require.Equal(t, "mix", p.test.About.Nemesis)
	require.Nil(t, p.test.Tide)
	// An option of a workload's is drawn only for that workload, and settings of nodes only where there are any.
	p, _ = planned(t, "--target", "consul", "--seed", "3")
	require.NotContains(t, p.drawn, "target-flag")
	require.Contains(t, p.drawn, "keys")
}
