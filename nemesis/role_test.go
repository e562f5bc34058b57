package nemesis

import (
	"math/rand/v2"
	"testing"
	"time"

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

// A fault that is to last until another leader is elected ends soon after that, and not before.
func TestFaultsThatTurn(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	s.episode.turn, s.episode.holds = 1, map[string]time.Duration{"kill": time.Hour}
	v := harness.View{
		Elapsed: time.Second, Nodes: harness.NodeNames(3), Leaders: []string{"n1"},
		Timing:   &history.Timing{Election: 200 * time.Millisecond},
		Standing: []harness.Standing{{ID: 7, Fault: *hitNodes("kill", leader, []string{"n1"}), Since: time.Second}},
	}
	s.look(aRand(), v)
	s.take(v, aRand())
	require.Greater(t, s.ends[7], 1700*time.Millisecond)
	v.Elapsed, v.Leaders = 1100*time.Millisecond, nil
	s.look(aRand(), v)
	require.Greater(t, s.ends[7], 1700*time.Millisecond, "nobody leads")
	v.Leaders = []string{"n3"}
	s.look(aRand(), v)
	require.LessOrEqual(t, s.ends[7], 1200*time.Millisecond)
}

// Of the faults that make links slow some do so one way only.
func TestSlowOneWay(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	s.episode.delay = leastDelay
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3), Leaders: []string{"n1"}}
	sizes := map[int]int{}
	r := aRand()
	for range 100 {
		f := s.make(r, v, "delay", leader)
		sizes[len(f.Deeds[0].Links)]++
		to := map[bool]int{}
		for _, l := range f.Deeds[0].Links {
			to[l.To == "n1"]++
		}
		sizes[-1-to[true]]++ // links to n1: none, two, or two of four
	}
	require.Len(t, sizes, 4, "%v", sizes) // -1, -3; 2, 4
	require.Positive(t, sizes[2])
	require.Positive(t, sizes[4])
	require.Positive(t, sizes[-1])
}
