package harness

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Nemesis picks faults. It decides and does nothing: with the same randomness and the same view
// it picks the same fault.
type Nemesis interface {
	// Next returns the next fault, or nil if the view allows none.
	Next(r *rand.Rand, v View) *Fault
}

// View is what a nemesis sees of the cluster.
type View struct {
	Nodes []string // all, in order
	Up    []string // those that run, are not paused, and have a network
	// Unplugged are those that have no network.
	Unplugged []string
	// Leaders are the nodes that say they lead, the one with the highest term first.
	Leaders []string
}

// Lane is a nemesis with its own rhythm. Lanes act side by side.
type Lane struct {
	Name    string
	Nemesis Nemesis
	// Hold and Rest are how long a fault lasts and how long the cluster is left alone after
	// it, on average: each is drawn between half and one and a half times as long. Without
	// rest, a fault is healed only once the next one is in force.
	Hold, Rest time.Duration
	// When is what each fault waits for, after the rest; nil if for nothing.
	When *Trigger
	// Deeds are those that its faults are made of.
	Deeds Deeds
	// Aiming is what the target must be able to do for the faults to be aimed.
	Aiming []Capability
}

// Needs returns what the faults of a lane need.
func (l Lane) Needs() []Capability {
	needs := slices.Clone(l.Aiming)
	for _, k := range l.Deeds {
		needs = append(needs, k.Needs...)
	}
	return needs
}

// CanAct reports whether a nemesis ever finds anything to do to so many nodes, all of which run, and any of which may
// lead.
func CanAct(n Nemesis, nodes []string) bool {
	r := rand.New(rand.NewPCG(1, 1)) // whether it can is no matter of chance
	for i := range 1000 {
		lead := nodes[i%len(nodes)]
		if n.Next(r, View{Nodes: nodes, Up: nodes, Leaders: []string{lead}}) != nil {
			return true
		}
	}
	return false
}
