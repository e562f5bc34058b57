package history

import (
	"encoding/json"
	"time"
)

// The values of events that are not clients' operations. Their F names which one it is.
const (
	FTest     = "test"     // Controller, once and first: a [Test]
	FPhase    = "phase"    // Controller: the run enters a [Phase]
	FMachine  = "machine"  // Controller, once, after the load: a [Machine]
	FRecovery = "recovery" // Controller, once, at the end of [PhaseRecover]: a [Recovery]
	FLast     = "last"     // Controller, once, in [PhaseFinal]: the [Last] calls
	FClaim    = "claim"    // Observer: a [Claim] of the event's node
	FStatus   = "status"   // Observer: a [Status] of the event's node
	FHash     = "hash"     // Observer: a [Hash] of the event's node
	FTold     = "told"     // Observer: what the event's node tells in its log, a [Told]
	FLost     = "lost"     // Observer: a client at the event's node holds something no more, a [Lost]
	FGuarded  = "guarded"  // Observer: what the resource at the event's node did with a write, a [Guarded]
	FExit     = "exit"     // Observer: the event's node ended by itself, an [Exit]; Err says how
	FMembers  = "members"  // Controller: who is a member of the cluster from now on
	FFinding  = "finding"  // Controller: a violation was found while the run is under way, a [Finding]
	FHeal     = "heal"     // Nemesis: a fault is undone
)

// Test describes the run that a history is of: enough to check it again with nothing else.
type Test struct {
	Version  int       `json:"version"` // of the format: 1
	Started  time.Time `json:"started"` // wall clock at time 0
	Target   string    `json:"target"`
	Fleet    string    `json:"fleet"`
	Workload string    `json:"workload"`
	Nemesis  string    `json:"nemesis"`
	Seed     uint64    `json:"seed"`
	Nodes    []string  `json:"nodes"`
	// Companions are the nodes beside the cluster: clients in processes of their own, the resource that a lock guards.
	Companions []string `json:"companions,omitempty"`
	// Sites are the nodes that are near each other, if there are several, and SitesApart how long what goes from one to
	// another takes, one way.
	Sites      [][]string    `json:"sites,omitempty"`
	SitesApart time.Duration `json:"sites_apart_ns,omitempty"`

	Clients  int      `json:"clients"`
	Checkers []string `json:"checkers"`
	Command  string   `json:"command"` // the command line that runs it again
	// Operations are those that clients are to call; each must have succeeded, or it was not tested.
	Operations []string `json:"operations,omitempty"`
	// Reads are those of them that change nothing; see [Notes.ReadOnly].
	Reads []string `json:"reads,omitempty"`
	// MinRate is how many calls a second must succeed, while a quorum can be reached, for a pass to mean something.
	MinRate float64 `json:"min_rate,omitempty"`
	// RecoverWithin is how soon the cluster must serve once every fault is healed.
	RecoverWithin time.Duration `json:"recover_within_ns,omitempty"`
	// Bug names what was planted, which the run is to find, and Hunt is the command of a run that is made to find it.
	Bug  string `json:"bug,omitempty"`
	Hunt string `json:"hunt,omitempty"`
	// Tells are what nodes tell in their logs beside claims; see [Told].
	Tells []string `json:"tells,omitempty"`
	// Timing is how the target's members are set, if it tells.
	Timing *Timing `json:"timing,omitempty"`
	// Caveat is what the target's documentation says that the run must expect; empty if nothing.
	Caveat  string            `json:"caveat,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Build   map[string]string `json:"build,omitempty"` // versions of sunder, Go, the kernel
}

// Timing is how the members of a target find out that their leader is gone: it lets them hear from it every
// Heartbeat, and one that has not heard for Election, at the least, stands for election.
type Timing struct {
	Heartbeat time.Duration `json:"heartbeat_ns"`
	Election  time.Duration `json:"election_ns"`
}

// Phase is a part of a run. Each lasts until the next one is noted.
type Phase string

// The phases, in their order.
const (
	PhaseLaunch  Phase = "launch"  // nodes start; nothing is expected of the cluster
	PhaseLoad    Phase = "load"    // clients call and the nemesis acts
	PhaseHeal    Phase = "heal"    // every fault is undone
	PhaseRecover Phase = "recover" // the cluster is given time to serve again
	PhaseFinal   Phase = "final"   // it serves: last reads at every node
	PhaseEnd     Phase = "end"     // the last call has ended
)

// Claim says that a node leads a term.
type Claim struct {
	Term uint64 `json:"term"`
	// Source is "log" (the node's own words) or "status" (its answer to a poll).
	Source string `json:"source"`
}

// Status is what a node answers about itself.
type Status struct {
	Role   string `json:"role"` // leader, follower, candidate, ...
	Term   uint64 `json:"term"`
	Leader string `json:"leader,omitempty"`
	// Vague says that the target cannot tell role and term of one and the same moment: a
	// leader's answer is no claim to the term.
	Vague   bool   `json:"vague,omitempty"`
	Commit  uint64 `json:"commit,omitempty"`
	Applied uint64 `json:"applied,omitempty"`
	// Hash of the applied state, if the target has one. Two nodes that applied the same
	// index must have the same hash.
	Hash string `json:"hash,omitempty"`
}

// Hash is what a node says of its state at a revision of the store. Two nodes must have the same
// hash at the same revision.
type Hash struct {
	Revision uint64 `json:"revision"`
	// Since is how far the state's past was forgotten, if that is part of what is hashed: such
	// hashes are compared only if it is the same.
	Since int64  `json:"since,omitempty"`
	Sum   string `json:"sum"`
}

// FaultEvent is the value of the nemesis' events. The id pairs the events of one fault.
type FaultEvent struct {
	ID int `json:"id"`
	// Lane is the part of the nemesis that the fault is of; invoke alone has it, as it has Fault, what is about to be
	// done, and Takes, what that takes from the cluster.
	Lane     string          `json:"lane,omitempty"`
	Fault    json.RawMessage `json:"fault,omitempty"`
	Takes    *Takes          `json:"takes,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"` // ok, info: what was seen of it
	// Nothing says of an info that the fault did nothing at all: it may be left out of the count.
	Nothing bool `json:"nothing,omitempty"`
}

// Exit is the end of a node that nobody asked for.
type Exit struct {
	// Log are the last lines that the node wrote.
	Log []string `json:"log,omitempty"`
}

// Recovery says whether the healed cluster served again: every member answered, and they agreed on who leads.
type Recovery struct {
	Served bool `json:"served"`
	// Why says what was still wrong at the end, if it did not serve.
	Why string `json:"why,omitempty"`
}

// Last are the calls that are to be made at every member at the end.
type Last struct {
	Calls []LastCall `json:"calls"`
	// Nothing says that clients leave nothing that could be read at the end.
	Nothing bool `json:"nothing,omitempty"`
}

// LastCall is a call that is to be made at the end.
type LastCall struct {
	F   string `json:"f"`
	Key string `json:"key"`
}

// Told is what a node tells in its log, beside claims: situations are known by it, and no verdict rests on it.
type Told struct {
	What string `json:"what"`
	Term uint64 `json:"term,omitempty"`
}

// What nodes tell.
const (
	ToldCandidate         = "candidate"          // it stands for election in a term
	ToldVote              = "vote"               // it votes for another node in a term
	ToldSendsSnapshot     = "sends-snapshot"     // it sends a snapshot to a follower
	ToldFollower          = "follower"           // it follows in a term, or nobody yet
	ToldInstalledSnapshot = "installed-snapshot" // it has replaced its state by a snapshot
)

// Finding is a violation that was found while the run was under way.
type Finding struct {
	Checker string `json:"checker"`
	Why     string `json:"why"`
	// At is when its evidence was complete; [Never] if it rests on no event.
	At time.Duration `json:"at_ns"`
}

// Members are the nodes that are members of the cluster from now on.
type Members struct {
	Nodes []string `json:"nodes"`
}

// Machine is how much of the machine the run had, while clients called.
type Machine struct {
	// LateP99 and LateMax are how late the controller came to what it wanted to do: all but one in a hundred times, and
	// at the most.
	LateP99 time.Duration `json:"late_p99_ns"`
	LateMax time.Duration `json:"late_max_ns"`
	// Idle, Ours and Others are the shares of the processors' time that nobody used, that the controller and the nodes
	// used, and that was used by anybody else, or taken by a hypervisor. They are all 0 where that is not known.
	Idle   float64 `json:"idle,omitempty"`
	Ours   float64 `json:"ours,omitempty"`
	Others float64 `json:"others,omitempty"`
}
