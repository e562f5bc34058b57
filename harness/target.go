// Package harness runs one test: it launches a cluster of some target on some fleet, lets clients
// work on it while a nemesis breaks it, and records all of it as a history.
//
// Its contracts are small. A [Target] knows one system under test, a [Fleet] one way to run
// processes, a [Workload] what clients do, a [Nemesis] which fault comes next. What only some of
// them can do is a second, small interface that is asked for by type assertion.
package harness

import (
	"context"
	"errors"

	"github.com/sunder-dev/sunder/harness/history"
)

// Target is a system under test: how to launch a member, talk to it and ask how it fares.
type Target interface {
	// Ports names what a member listens on, for the fleet to give out addresses. The first is
	// where members talk to each other, "client" is where clients connect.
	Ports() []string
	// Spec says how the member placed at p is launched. It is pure.
	Spec(p Placement) NodeSpec
	// Can returns what clients and members can do: [KV], [Leader], words of one's own. What a workload or a fault
	// needs and does not find here is refused before anything starts.
	Can() []Capability
	// Ready returns nil if a member serves, and otherwise says why it does not.
	Ready(ctx context.Context, n Node) error
	// Dial returns a new client of one member, with connections of its own. The client must
	// not retry: a retried write may happen twice, and that would be our bug.
	Dial(ctx context.Context, n Node) (Client, error)
}

// Reporter is a target whose members tell about themselves: their role, and how far they are.
type Reporter interface {
	// Status asks one member about itself.
	Status(ctx context.Context, n Node) (history.Status, error)
}

// KnowsLeader is [Target].Ready of targets with leaders: a member serves that knows one.
func KnowsLeader(ctx context.Context, r Reporter, n Node) error {
	s, err := r.Status(ctx, n)
	if err == nil && s.Leader == "" {
		err = errors.New("it knows no leader")
	}
	return err
}

// Needer is a target that needs something of the fleet that it is on.
type Needer interface{ Needs() []Capability }

// Spared is a target whose members are to be spared something that fleets can do to them, as they do not promise to
// come through it: one that keeps nothing on its disk, being killed.
type Spared interface{ Spare() []Capability }

// Sized is a target that cannot be launched with every number of nodes.
type Sized interface {
	// Fits says why it cannot with so many; nil if it can. It is pure.
	Fits(nodes int) error
}

// Judged is a target or a workload that says by which checkers its runs are to be judged, beside those that judge
// every run.
type Judged interface{ Checkers() []string }

// Witness is a target whose members say in their logs when they become leader. A claim in a
// node's own words is finer than any polling.
type Witness interface {
	Claim(line []byte) (term uint64, ok bool)
}

// Announcer is a target whose members say in their logs that they serve, at each start anew. One that has not said so
// is not asked whether it is [Target].Ready.
type Announcer interface {
	// Announces reports whether they do.
	Announces() bool
	Serves(line []byte) bool
}

// Teller is a target whose members tell more in their logs: that they stand for election, vote, send snapshots. It is
// what the situations of a run are known by.
type Teller interface {
	// Tells returns what there is to be told: a situation that is known by something else can never be seen.
	Tells() []string
	Tell(line []byte) (t history.Told, ok bool)
}

// Caveater is a target of which less is promised than the checkers ask for, and says what, so that
// nobody takes what it documents for a bug.
type Caveater interface{ Caveat() string }

// Timed is a target that knows how its members are set to find out that their leader is gone.
type Timed interface{ Timing() history.Timing }

// Hasher is a target whose members can hash what they store, so that members whose states have
// diverged are found out.
type Hasher interface {
	// Hash returns the hash of a member's state as of a revision, if the member can still tell,
	// and otherwise, or if the revision is 0, as of now.
	Hash(ctx context.Context, n Node, revision uint64) (history.Hash, error)
}

// PastHasher is a [Hasher] whose members still know what their state was at a revision that has passed, and say so at
// little cost: they can be compared while clients write.
type PastHasher interface {
	Hasher
	// HashesPast reports whether that is so.
	HashesPast() bool
}

// Operated is a target whose members do what operators ask of them while they serve: [MoveLeader], [Defragment],
// [SaveSnapshot], [Compact], as far as [Target].Can says so.
type Operated interface {
	// Operate asks one member. An error that wraps [ErrNotApplied] says that nothing came of it.
	Operate(ctx context.Context, n Node, what Capability) error
}

// Client is a connection to one member. What more it can do is the business of workloads, which
// ask for it by type assertion.
type Client interface {
	Close() error
}

// Member is one member of the cluster as another one sees it.
type Member struct {
	Name string
	Addr map[string]string // by port name
	// Incarnation is how many members before it had the same name.
	Incarnation int
}

// Placement is what a target needs to know to launch a member.
type Placement struct {
	Node string
	// Members are all members, in order, with the addresses at which this node reaches them.
	// Its own entry has the addresses to listen on.
	Members []Member
	// Companions are the nodes beside the cluster, likewise.
	Companions []Member
	DataDir    string // survives restarts of the node
	// Program is the target's program where the fleet has it; empty if it is where the target says.
	Program string
	// Version is that of the member; empty is the one that the target was made for.
	Version string
	// Joins says that the others are a cluster already, which knows that this one is about to join.
	Joins bool
	// Incarnation is that of the node itself: how often it was started as a new member, with an empty disk.
	Incarnation int
	Seed        uint64
}

// NodeSpec says how a node is launched.
type NodeSpec struct {
	Name string
	// Self says that the program is sunder itself, and that Command are its arguments alone.
	Self    bool
	Command []string // program and arguments
	Env     []string
	DataDir string
}
