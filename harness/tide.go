package harness

import (
	"math/rand/v2"
	"time"
)

// Tide says how the load changes in the course of a run. It is pure.
type Tide func(elapsed time.Duration) Load

// Load is how clients call for a while.
type Load struct {
	// Rate is how many calls a second all clients make together, at most; 0 is no limit.
	Rate float64
	// Clients are those that call: the first so many; the others are idle.
	Clients int
	// Crowd is which nodes they call.
	Crowd Crowd
	// Node is the one that all call who are [AtOne], counted from 0, and from there again after the last.
	Node int
}

// Crowd is which nodes clients call.
type Crowd uint8

// The crowds. A leader that is cut off with all clients writes more that nobody else has than one with few, and members
// that are not called have less of their own to say.
const (
	Spread   Crowd = iota // each the one that it is used to; see [Test.Roam]
	AtLeader              // all the leader, as far as one is known
	AtOne                 // all one and the same
)

// loadNow returns how clients are to call now.
func (r *run) loadNow() Load {
	if r.Tide == nil {
		return Load{Rate: r.Rate, Clients: r.Clients}
	}
	return r.Tide(time.Since(r.loadBegan))
}

// lookAgain is how long a client waits, at the most, until it looks whether the load is another one.
const lookAgain = 100 * time.Millisecond

// habit is how a client chooses the node that it calls.
type habit uint8

const (
	stays   habit = iota // with one node
	follows              // the leader, as far as one is known
	hops                 // to another node, every so many calls
)

// habitOf deals habits out: of five clients, three stay, one follows and one hops.
func (r *run) habitOf(worker int) habit {
	if !r.Roam {
		return stays
	}
	return [...]habit{stays, follows, stays, hops, stays}[worker%5]
}

// hopAfter is how many calls a client makes, on average, before it hops.
const hopAfter = 50

// wander returns the node that a client is to call now.
func (w *worker) wander(r *rand.Rand, crowd Crowd, node int) string {
	habit := w.habit
	switch {
	case len(w.cluster.Companions) > 0:
		return w.home // companions are no members: none leads
	case crowd == AtLeader:
		habit = follows
	case crowd == AtOne && w.refused < 2:
		return w.cluster.Nodes()[node%w.Nodes]
	case crowd == AtOne:
		habit = hops
	case habit == stays:
		return w.home
	}
	switch habit {
	case follows:
		if leader, _ := w.observe.leader(); leader != "" && w.refused < 2 {
			return leader
		}
		if w.refused >= 2 { // who does not know better tries another one
			return w.cluster.Nodes()[r.IntN(w.Nodes)]
		}
	case hops:
		if w.refused > 0 || r.IntN(hopAfter) == 0 {
			return w.cluster.Nodes()[r.IntN(w.Nodes)]
		}
	}
	return w.node
}
