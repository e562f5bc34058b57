package harness

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Nemesis picks faults. It decides and does nothing: with the same randomness and the same view
// it picks the same fault.
type Nemesis interface {
	// Next returns the next fault, or nil if the view allows none.
	Next(r *rand.Rand, v View) *Fault
}

// Director decides for itself when faults begin and when they are healed, where a [Nemesis] has the rhythm of its lane.
// It decides and does nothing: with the same randomness and the same views it makes the same moves.
type Director interface {
	// Next returns what is to be done now, and when it is to be asked again.
	Next(r *rand.Rand, v View) Move
}

// Move is a decision of a director. The fault that begins is in force before those that end are healed, so that a
// cluster goes from one straight into another.
type Move struct {
	Start *Fault // nil begins none
	Heal  []int  // ids of faults in force
	// Wait is how long the director has nothing to do, unless one of the events comes sooner, or one of its faults comes
	// into force or is gone. What happened while it decided counts.
	Wait  time.Duration
	Until []Trigger
}

// Standing is a fault in force, or on its way.
type Standing struct {
	ID    int
	Fault Fault
	// Since is when it came into force, after so much of the load; 0 before that.
	Since time.Duration
	// Changing says that it is being brought about, or healed: it cannot be healed now.
	Changing bool
}

// View is what a nemesis sees of the cluster.
type View struct {
	Nodes []string // all, in order
	Up    []string // those that run, are not paused, and have a network
	// Unplugged are those that have no network.
	Unplugged []string
	// Stranded are those that clients, and who asks for this view, do not reach.
	Stranded []string
	// Leaders are the nodes that say they lead, the one with the highest term first.
	Leaders []string
	// Companions are those that are clients and run, and Holders those of them that hold something, as far as clients
	// know.
	Companions []string
	Holders    []string
	// Statuses are the answers of nodes about themselves, as far as they answered.
	Statuses map[string]history.Status
	// The rest only a [Director] sees. Elapsed is how long the load has lasted, and Left how long faults go on.
	Elapsed, Left time.Duration
	// Standing are the faults of its lane that are in force or on their way, the oldest first.
	Standing []Standing
	// Out are nodes that are being replaced, and do not belong to the cluster, or not for sure.
	Out []string
	// Sites are the nodes that are near each other; nil if all are.
	Sites [][]string
	// OtherVersions are those that nodes can be restarted as.
	OtherVersions []string
	OfOther       []string // those that are of one
	// Can is what fleet and target can do.
	Can []Capability
	// Timing is how the members find out that their leader is gone; nil if that is not known.
	Timing *history.Timing
	// Lease is how long a holder that nobody hears of keeps what it holds; 0 if nobody holds anything.
	Lease time.Duration
	// Reached are the situations that the run has come to so far; see package waypoint.
	Reached []string
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
	// Direct, if there is one, makes the director of a run, which decides instead of Nemesis, Hold, Rest and When.
	Direct func() Director
	// Aiming is what the target must be able to do for the faults to be aimed.
	Aiming []Capability
}

// Needs returns what the faults of a lane need.
func (l Lane) Needs() []Capability {
	needs := slices.Clone(l.Aiming)
	if l.Direct != nil {
		return needs // it makes do with what there is
	}
	for _, k := range l.Deeds {
		needs = append(append(needs, k.Needs...), k.Asks...)
	}
	return needs
}

// Layout is who there is in a run.
type Layout struct {
	Nodes      []string
	Companions []string
	Sites      Sites
}

// CanAct reports whether a nemesis ever finds anything to do where all nodes run, and any of them may lead, and any
// companion hold something.
func CanAct(n Nemesis, l Layout) bool {
	nodes := l.Nodes
	r := rand.New(rand.NewPCG(1, 1)) // whether it can is no matter of chance
	for i := range 1000 {
		lead := nodes[i%len(nodes)]
		v := View{
			Nodes: nodes, Up: nodes, Leaders: []string{lead}, Sites: l.Sites.Of(nodes), OtherVersions: []string{"another"},
			Companions: l.Companions, Holders: l.Companions,
		}
		if n.Next(r, v) != nil {
			return true
		}
	}
	return false
}
