package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// members is what operators know of who belongs to the cluster: the last change of which they were told that it is
// committed.
type members struct {
	core.Members
	index uint64
}

func (m *members) has(id core.ID) bool { return m.Votes(id) || m.Learns(id) }

// settle notes that a change was committed.
func (w *world) settle(index uint64, m core.Members) {
	if index <= w.members.index {
		return
	}
	w.members = members{m, index}
	for _, n := range w.nodes {
		n.joined = n.joined || w.members.has(n.id)
	}
}

// shutDown ends the servers that were removed, after which a new one may come to their place.
func (m *members) shutDown(w *world) {
	for _, n := range w.nodes {
		if !n.vacant && n.joined && !m.has(n.id) {
			n.crash("as it was removed")
			n.vacant = true
		}
	}
}

// intent is a change that an operator has in mind, of whoever stands at a place then. He asks one of those that lead,
// of which there may be several; and some wait for a new leader.
type intent struct {
	place  core.ID
	remove bool
	ask    int
}

func drawIntent(r *rand.Rand, nodes []*node) intent {
	return intent{place: core.ID(1 + r.IntN(len(nodes))), remove: r.IntN(2) == 0, ask: r.IntN(60)}
}

// operate lets an operator try to have his way.
func (w *world) operate(i intent) {
	if w.chance(0.7) { // some servers that were removed go on for a while
		w.members.shutDown(w)
	}
	leaders := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool {
		return !n.runs() || !n.raft.Status().Leads
	})
	if len(leaders) > 0 {
		asked := leaders[i.ask%len(leaders)]
		asked.do(func() { w.change(asked, i) })
	}
}

// change asks a leader for the next step: a server that does not vote yet is promoted, or removed; where nobody stands,
// a new one with an empty disk comes to be added.
func (w *world) change(asked *node, i intent) {
	n := w.at(i.place)
	c := core.Change{Kind: core.Promote, ID: n.id}
	switch {
	case i.remove && (n.vacant || len(w.members.Voters) <= w.Nodes-1-w.weather.fewer):
		return
	case n.vacant:
		c = core.Change{Kind: core.AddLearner, ID: n.settleIn()}
	case i.remove:
		c.Kind = core.Remove
	case !n.joined:
		c.Kind = core.AddLearner // once more: it may have been lost
	}
	if err := asked.raft.(builtin).Change(c); err == nil {
		w.note("an operator has %v %v %v", asked.id, c.Kind, c.ID)
	}
}

// settleIn starts a new server at a place, which takes in what the leader sends.
func (n *node) settleIn() core.ID {
	n.id, n.disk = core.NewID(uint16(n.id.Place()), n.id.Incarnation()+1), disk{}
	n.vacant, n.joined = false, false
	n.start()
	return n.id
}
