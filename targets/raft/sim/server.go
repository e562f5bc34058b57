package sim

import (
	"math/rand/v2"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// What servers store and say is in the words of the built-in core.
type (
	// ID is a server: of the first at each place it is the number of the place, from 1.
	ID = core.ID
	// Entry is one record of the log. Its index is from 1, without gaps.
	Entry = core.Entry
	// HardState is the term, and who was voted for in it.
	HardState = core.HardState
	// Snapshot is the application's state at an index. Its data are the simulation's.
	Snapshot = core.Snapshot
	// Stored is what a server finds when it starts.
	Stored = core.Stored
	// ReadState says that a read is served once so much is applied.
	ReadState = core.ReadState
)

// Server is a consensus core under the simulation: the built-in one, or any other that follows Raft. It has no clock,
// no disk, no network and no goroutine of its own, and all its randomness from its [Boot]: or a seed does not replay.
// What more it can do it has as a [Reader], a [Compacter], a [Mover].
type Server interface {
	// Tick lets a unit of time pass.
	Tick()
	// Step takes in a message.
	Step(m Message)
	// Propose asks for a command to be replicated. Servers that do not lead may ignore it.
	Propose(data []byte)
	// Ready returns what is to be done, once: it is done by the next call of any method, or the server has crashed.
	Ready() Ready
	Status() Status
}

// Reader is a server of which linearizable reads can be asked, which it serves by [Ready.Reads].
type Reader interface{ Read(id uint64) }

// Compacter is a server whose log can be cut behind a snapshot.
type Compacter interface {
	// Snapshot makes one of the state at an index that was applied; false if the server does not have that any more.
	Snapshot(index uint64, data []byte) (s Snapshot, held bool)
	// Compact cuts the log behind a snapshot that is stored, but for so many entries, which weigh so many bytes at the
	// most (0 is any).
	Compact(s Snapshot, keep uint64, keepBytes int)
}

// Mover is a server that can be asked to hand leadership over.
type Mover interface {
	// Transfer returns to whom it does; 0 if it does not.
	Transfer() ID
}

// Message is on its way from one server to another. What it says is the servers' business.
type Message struct {
	From, To ID
	Body     any // read by servers of the same kind only
}

// Ready is what is to be done, in this order: HardState, Snapshot and Entries are stored, and synced; then Messages are
// sent; then what is Committed is applied, and Reads are served.
type Ready struct {
	HardState *HardState // nil if unchanged
	Snapshot  *Snapshot  // from the leader, in the place of state and log; or nil
	Entries   []Entry    // what follows the first of them in the log is replaced
	Messages  []Message
	Committed []Entry
	Reads     []ReadState
}

func (r *Ready) empty() bool {
	return r.HardState == nil && r.Snapshot == nil && len(r.Entries) == 0 && len(r.Messages) == 0 &&
		len(r.Committed) == 0 &&
		len(r.Reads) == 0
}

// Status is how a server fares.
type Status struct {
	Leads     bool
	Term      uint64
	Committed uint64 // index up to which it knows entries to be committed
}

// Boot is what a server starts with.
type Boot struct {
	ID    ID
	Peers []ID // those that the cluster began with, this one included
	// Stored is what it has on its disk. It has restarted if that is not empty.
	Stored Stored
	// HeartbeatTicks and ElectionTicks are its times; an election timeout is drawn between the latter and twice as much.
	HeartbeatTicks, ElectionTicks int
	// MaxEntries and MaxBytes bound the entries of one message; MaxBytes 0 does not.
	MaxEntries, MaxBytes int
	PreVote, CheckQuorum bool
	Rand                 *rand.Rand

	bugs     core.Bugs
	snapshot func() Snapshot
}

// builtin is the core of the built-in Raft as a server. It has more than others: its members can be changed.
type builtin struct{ *core.Raft }

func newBuiltin(b Boot) (Server, error) {
	raft, err := core.New(core.Config{
		ID: b.ID, Peers: b.Peers, HeartbeatTicks: b.HeartbeatTicks, ElectionTicks: b.ElectionTicks, MaxEntries: b.MaxEntries,
		MaxBytes: b.MaxBytes, PreVote: b.PreVote, CheckQuorum: b.CheckQuorum, Rand: b.Rand, Bugs: b.bugs,
	}, b.Stored, b.snapshot)
	return builtin{raft}, err
}

func (b builtin) Step(m Message) { b.Raft.Step(m.Body.(core.Message)) }

func (b builtin) Propose(data []byte) { b.Raft.Propose(data) }

func (b builtin) Read(id uint64) { b.Raft.Read(id) }

// It can do all that can be asked for.
var _ interface {
	Server
	Reader
	Compacter
	Mover
} = builtin{}

func (b builtin) Ready() Ready {
	rd := b.Raft.Ready()
	out := Ready{
		HardState: rd.HardState, Snapshot: rd.Snapshot, Entries: rd.Entries, Committed: rd.Committed, Reads: rd.Reads,
	}
	for _, m := range rd.Messages {
		out.Messages = append(out.Messages, Message{m.From, m.To, m})
	}
	return out
}

func (b builtin) Status() Status {
	s := b.Raft.Status()
	return Status{Leads: s.Role == core.Leader, Term: s.Term, Committed: s.Committed}
}
