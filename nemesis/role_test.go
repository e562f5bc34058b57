package nemesis

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

func aRand() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

func TestRoles(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	v := harness.View{
		Nodes: harness.NodeNames(5), Up: harness.NodeNames(5), Leaders: []string{"n1"},
		Statuses: map[string]history.Status{
			"n1": {Role: "leader", Applied: 90}, "n2": {Role: "follower", Applied: 80}, "n3": {Role: "pre-candidate", Applied: 10},
			"n4": {Role: "follower", Applied: 85},
		},
		Standing: []harness.Standing{{ID: 3, Fault: harness.Fault{Family: "kill", Nodes: []string{"n5"}}}},
	}
	s.look(aRand(), v)
	for role, want := range map[string][]string{
		formerLeader: nil, laggard: {"n3"}, successor: {"n4"}, candidate: {"n3"}, victim: {"n5"},
		bystanders: {"n2", "n3", "n4"}, followersOf: {"n2", "n3", "n4", "n5"},
	} {
		require.Equal(t, want, s.inRole(v, role), role)
	}
	v.Leaders = []string{"n4"}
	s.look(aRand(), v)
	require.Equal(t, []string{"n1"}, s.inRole(v, formerLeader))
	require.Equal(t, []string{"n1"}, s.inRole(v, successor))
	v.Leaders, v.Statuses, v.Standing = nil, nil, nil
	for _, role := range []string{laggard, successor, candidate, victim, bystanders, followersOf} {
		require.Empty(t, s.inRole(v, role), role)
	}
}

// An action is worth the situations that were new after it, and nothing wears that off but later ones.
func TestLearning(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	reached := func(n int) harness.View { return harness.View{Reached: make([]string, n)} }
	s.learn(reached(0), "kill@leader")
	s.learn(reached(4), "pause@one") // four were new after the kill
	require.InDelta(t, 1.2, s.values["kill@leader"], 1e-9)
	for range 10 {
		s.look(aRand(), reached(4))
	}
	s.learn(reached(4), "kill@leader")
	require.InDelta(t, 1.2, s.values["kill@leader"], 1e-9)
	require.Zero(t, s.values["pause@one"])
}
