package core

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/member"
)

var names = []string{"n1", "n2", "n3", "n4", "n5"}

func network(t *testing.T, seed uint64) *member.Network {
	n := member.NewNetwork(seed, names, func(id string, remembered json.RawMessage) member.Core {
		b, err := New(id, names, remembered)
		require.NoError(t, err)
		return b
	})
	n.Run(3 * Patience)
	return n
}

// leaders are the members that lead now.
func leaders(n *member.Network) (all []string) {
	for _, name := range names {
		if c := n.Core(name); c != nil && c.Status().Role == "leader" {
			all = append(all, name)
		}
	}
	return all
}

func TestTheHighestLeads(t *testing.T) {
	for seed := range uint64(20) {
		n := network(t, seed)
		require.Equal(t, []string{"n5"}, leaders(n))
		for _, name := range names {
			require.Equal(t, "n5", n.Core(name).Status().Leader)
		}
		n.Stop("n5")
		n.Run(Silence + AnswerTime + 3*Patience)
		require.Equal(t, []string{"n4"}, leaders(n))
		n.Start("n5") // and bullies its way
		n.Run(3 * Patience)
		require.Equal(t, []string{"n5"}, leaders(n))
	}
}

// Where messages come in time and nobody is cut off, one member leads at a time, whoever ends and begins again, and
// what a leader that stayed acknowledged is there.
func TestItIsRightWhereItsAssumptionsHold(t *testing.T) {
	for seed := range uint64(30) {
		n := network(t, seed)
		r := rand.New(rand.NewPCG(seed, 9))
		last := map[string]string{}
		for i := range uint64(40) {
			down := names[r.IntN(4)] // never the leader
			n.Stop(down)
			key, value := fmt.Sprint("k", r.IntN(3)), fmt.Sprint(i)
			at := names[r.IntN(5)]
			if at == down {
				at = "n5"
			}
			n.Request(at, member.Request{ID: 2*i + 1, Op: member.Put, Key: key, Value: value})
			n.Run(20)
			if n.Answers[2*i+1].Outcome == member.OK {
				last[key] = value
			}
			n.Request(at, member.Request{ID: 2*i + 2, Op: member.Get, Key: key})
			n.Run(20)
			if a := n.Answers[2*i+2]; a.Outcome == member.OK {
				require.NotNil(t, a.Value, "seed %d", seed)
				require.Equal(t, last[key], *a.Value, "seed %d", seed)
			}
			require.Equal(t, []string{"n5"}, leaders(n), "seed %d", seed)
			n.Start(down)
			n.Run(10)
		}
		require.NotEmpty(t, last)
	}
}

// A partition gives it two leaders, each of which serves, and what one of them acknowledged is gone when it is over.
func TestAPartitionHasTwoLeaders(t *testing.T) {
	for seed := range uint64(20) {
		n := network(t, seed)
		n.Cut([]string{"n1", "n2"}, []string{"n3", "n4", "n5"})
		n.Run(Silence + AnswerTime + 3*Patience)
		require.Equal(t, []string{"n2", "n5"}, leaders(n), "seed %d", seed)
		n.Request("n1", member.Request{ID: 1, Op: member.Put, Key: "x", Value: "minority"})
		n.Request("n3", member.Request{ID: 2, Op: member.Put, Key: "x", Value: "majority"})
		n.Run(20)
		require.Equal(t, member.OK, n.Answers[1].Outcome)
		require.Equal(t, member.OK, n.Answers[2].Outcome)
		n.Heal()
		n.Run(5 * Patience)
		require.Equal(t, []string{"n5"}, leaders(n))
		n.Request("n1", member.Request{ID: 3, Op: member.Get, Key: "x"})
		n.Run(20)
		require.Equal(t, "majority", *n.Answers[3].Value)
	}
}

func TestRequests(t *testing.T) {
	n := network(t, 1)
	ask := func(id uint64, at string, op member.Op, old, value string) member.Answer {
		n.Request(at, member.Request{ID: id, Op: op, Key: "x", Old: old, Value: value})
		n.Run(10)
		return n.Answers[id]
	}
	require.Nil(t, ask(1, "n2", member.Get, "", "").Value)
	require.Equal(t, member.Mismatch, ask(2, "n2", member.CAS, "a", "b").Outcome)
	require.Equal(t, member.OK, ask(3, "n2", member.Put, "", "a").Outcome)
	require.Equal(t, member.OK, ask(4, "n5", member.CAS, "a", "b").Outcome)
	found := ask(5, "n1", member.CAS, "a", "c")
	require.Equal(t, member.Mismatch, found.Outcome)
	require.Equal(t, "b", *found.Value)
	n.Stop("n5")
	n.Run(Silence)
	require.Equal(t, member.Refused, ask(6, "n1", member.Get, "", "").Outcome, "nobody leads")
	n.Run(3 * Patience)
	require.Equal(t, "b", *ask(7, "n1", member.Get, "", "").Value, "the next leader had heard of it")
}

func TestWhatIsNoMessage(t *testing.T) {
	n := network(t, 1)
	for _, text := range []string{"", "7", `{"kind":"shout"}`} {
		require.Equal(t, member.Effects{}, n.Core("n1").Receive("n2", json.RawMessage(text)))
	}
	require.Equal(t, member.Effects{}, n.Core("n1").Receive("n9", json.RawMessage(`{"kind":"coordinator","term":99}`)))
	_, err := New("n1", names, json.RawMessage("nonsense"))
	require.Error(t, err)
}
