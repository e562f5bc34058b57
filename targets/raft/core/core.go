// Package core is the consensus of the built-in Raft, after "In Search of an Understandable
// Consensus Algorithm" (Ongaro and Ousterhout, 2014; section numbers refer to its extended
// version) with additions of Ongaro's thesis: changes of members, one server at a time (§4.1),
// pre-vote (§9.6), leaders that step down without contact to a quorum (§6.2, "check quorum"), and
// leaders that hand over (§3.10).
//
// It is pure: no I/O, no clock, no goroutine. Time is [Raft.Tick], the network is [Raft.Step],
// and everything that has to be done outside comes out of [Raft.Ready], in an order that the
// caller must keep.
package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Role is what a node is in its term.
type Role uint8

// The roles of §5.1, and the pre-candidate that asks whether an election could be won before it
// disturbs anybody with a new term.
const (
	Follower Role = iota
	PreCandidate
	Candidate
	Leader
)

// String returns the role in lower case.
func (r Role) String() string {
	return [...]string{"follower", "pre-candidate", "candidate", "leader"}[r]
}

// Config is what a node must know from the start.
type Config struct {
	ID ID
	// Peers are the voters before the first entry of the log, the same for all nodes. One that joins later is not among
	// them: it learns from the log who is.
	Peers []ID
	// HeartbeatTicks is the interval of a leader's heartbeats. An election starts after
	// ElectionTicks to 2*ElectionTicks-1 ticks without one, drawn anew each time (§5.2).
	HeartbeatTicks, ElectionTicks int
	// MaxEntries bounds the entries of one Append, and MaxBytes what they weigh; one entry is sent whatever it weighs. A
	// follower has no more than maxInflight Appends under way, and no more than maxInflightBytes times MaxBytes in them.
	// 0 bounds nothing.
	MaxEntries, MaxBytes int
	// PreVote asks before campaigning; CheckQuorum makes a leader step down after
	// ElectionTicks without contact to a quorum.
	PreVote, CheckQuorum bool
	Rand                 *rand.Rand
	Bugs                 Bugs
}

func (c *Config) validate() error {
	switch {
	case c.ID == None:
		return errors.New("raft: a node's ID must not be 0")
	case len(c.Peers) == 0:
		return errors.New("raft: there must be voters at first")
	case c.ID.Incarnation() == 0 && !slices.Contains(c.Peers, c.ID):
		return fmt.Errorf("raft: %v is not among its peers %v", c.ID, c.Peers)
	case c.HeartbeatTicks < 1 || c.ElectionTicks <= c.HeartbeatTicks:
		return fmt.Errorf(
			"raft: heartbeat %d and election timeout %d ticks: want 1 <= heartbeat < election",
			c.HeartbeatTicks,
			c.ElectionTicks,
		)
	case c.MaxEntries < 1:
		return errors.New("raft: MaxEntries must be at least 1")
	case c.Rand == nil:
		return errors.New("raft: Rand is missing")
	}
	return nil
}

// Stored is what a node finds on stable storage when it starts.
type Stored struct {
	HardState HardState
	Snapshot  Snapshot
	Entries   []Entry // after the snapshot, without gaps
}

// Raft is one node's consensus state. It is not safe for concurrent use.
type Raft struct {
	cfg Config

	HardState
	role   Role
	leader ID
	log    raftLog

	clock   int // ticks since the start
	elapsed int // ticks since the leader was heard or the election began
	timeout int // of this election, in ticks
	votes   map[ID]bool
	again   int // votes that came again, which only a planted bug counts

	heartbeat int // ticks since the last heartbeat, or request for votes, went out

	// Of a candidate: the leader asked for it.
	disrupt bool
	// Of a leader.
	progress      map[ID]*progress
	reads         reads
	transferee    ID  // who leadership is being handed over to
	transferUntil int // tick by which that is given up

	snapshot  func() Snapshot
	messages  []Message
	readies   []ReadState
	installed *Snapshot
	saved     HardState // as last handed out
}

// New returns a node that starts from what was stored. The function snapshot returns the newest
// snapshot that the node has stored, for followers that lag behind the log.
func New(cfg Config, s Stored, snapshot func() Snapshot) (*Raft, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Raft{
		cfg:       cfg,
		HardState: s.HardState,
		saved:     s.HardState,
		snapshot:  snapshot,
	}
	if s.Snapshot.Index == 0 {
		s.Snapshot.Members = Members{Voters: slices.Sorted(slices.Values(cfg.Peers))}
	}
	r.log.sticky = cfg.Bugs[ChangeNotRolledBack]
	r.log.drop(s.Snapshot)
	r.log.entries, r.log.bytes = s.Entries, weight(s.Entries)
	r.log.handed = r.log.lastIndex()
	r.log.note(s.Entries)
	if cfg.Bugs[ForgetVote] {
		r.Vote = None
	}
	if cfg.Bugs[RestartCommitsAll] {
		r.log.committed = r.log.lastIndex()
	}
	r.become(Follower, None)
	return r, nil
}

// Status is a view of a node's state.
type Status struct {
	ID                              ID
	Role                            Role
	Term                            uint64
	Vote, Leader                    ID
	FirstIndex, LastIndex, LastTerm uint64
	Committed, Applied              uint64
	// Members are those by the log, committed or not, and ChangedAt is the index from which on they are.
	Members   Members
	ChangedAt uint64
}

// Status returns the state as it is now.
func (r *Raft) Status() Status {
	return Status{
		ID: r.cfg.ID, Role: r.role, Term: r.Term, Vote: r.Vote, Leader: r.leader,
		FirstIndex: r.log.firstIndex(), LastIndex: r.log.lastIndex(), LastTerm: r.log.lastTerm(),
		Committed: r.log.committed, Applied: r.log.applied,
		Members: r.log.members(), ChangedAt: r.log.changedAt(),
	}
}

// Entry returns the entry at index i, or false if the log does not hold it.
func (r *Raft) Entry(i uint64) (Entry, bool) {
	if i < r.log.firstIndex() || i > r.log.lastIndex() {
		return Entry{}, false
	}
	return r.log.entries[i-r.log.firstIndex()], true
}

// Snapshot returns the snapshot of a state of the application at index i, or false if the log does not hold that entry.
func (r *Raft) Snapshot(i uint64, data []byte) (Snapshot, bool) {
	e, ok := r.Entry(i)
	if !ok {
		return Snapshot{}, false
	}
	return Snapshot{Index: i, Term: e.Term, Data: data, Members: r.log.membersAt(i)}, true
}

// Compact tells the log that a snapshot at s is stored. Up to keep entries before it stay, and no more than keepBytes
// of them if that is not 0, for followers that are only a little behind.
func (r *Raft) Compact(s Snapshot, keep uint64, keepBytes int) {
	if s.Index > r.log.base {
		r.log.compact(s, keep, keepBytes)
	}
}

// LogBytes is what the entries weigh that are in memory.
func (r *Raft) LogBytes() int { return r.log.bytes }

// quorum is the size of a majority of the voters.
func (r *Raft) quorum() int {
	n := len(r.log.members().Voters)
	if r.cfg.Bugs[QuorumMinusOne] {
		return max(1, n/2)
	}
	return n/2 + 1
}

// become changes the role within the current term.
func (r *Raft) become(role Role, leader ID) {
	r.role, r.leader = role, leader
	r.elapsed, r.heartbeat = 0, 0
	r.timeout = r.cfg.ElectionTicks + r.cfg.Rand.IntN(r.cfg.ElectionTicks)
	r.votes, r.again, r.progress = nil, 0, nil
	r.disrupt, r.transferee = false, None
	r.reads.reset()
}

// enter moves to a higher term as a follower (Figure 2, "all servers").
func (r *Raft) enter(term uint64, leader ID) {
	r.Term, r.Vote = term, None
	r.become(Follower, leader)
}

// Tick lets one unit of time pass.
func (r *Raft) Tick() {
	r.clock++
	r.elapsed++
	r.heartbeat++
	if r.clock >= r.transferUntil {
		r.transferee = None
	}
	switch {
	case r.role != Leader && r.elapsed >= r.timeout && r.mayLead():
		r.campaign()
	case r.role != Leader && r.elapsed >= r.timeout:
		r.become(Follower, None)
	case r.role == Leader && r.cfg.CheckQuorum && r.quorumAge() >= r.cfg.ElectionTicks:
		r.become(Follower, None)
	case r.role == Leader && r.heartbeat >= r.cfg.HeartbeatTicks:
		r.broadcastHeartbeat()
	case r.role != Follower && r.role != Leader && r.heartbeat >= r.cfg.HeartbeatTicks:
		r.solicit()
	}
}

// Step takes in a message from another node. Replies and consequences come out of [Raft.Ready].
func (r *Raft) Step(m Message) {
	// Whether the sender is a member does not matter: who knows less of the log than others may not know who is (§4.1).
	if m.From == None || m.From == r.cfg.ID || m.To != r.cfg.ID {
		return
	}
	switch {
	case m.Term > r.Term:
		if !r.stepHigherTerm(m) {
			return
		}
	case m.Term < r.Term && r.cfg.Bugs[OldLeaderObeyed] && m.Type == Append:
	case m.Term < r.Term:
		// Tell the sender that its term is over. This also unblocks a leader whose
		// followers went ahead of it.
		if t := m.Type.reply(); t != 0 && m.Type != ReadIndex {
			r.send(Message{Type: t, To: m.From, Reject: true, Index: m.Index, Read: m.Read})
		}
		return
	}
	switch m.Type {
	case PreVote, Vote:
		r.handleVote(m)
	case PreVoteReply, VoteReply:
		r.handleVoteReply(m)
	case Append, Install, Heartbeat:
		r.handleFromLeader(m)
	case AppendReply:
		r.handleAppendReply(m)
	case HeartbeatReply:
		r.handleHeartbeatReply(m)
	case ReadIndex:
		r.handleReadIndex(m)
	case ReadIndexReply:
		if r.cfg.Bugs[ReadIndexIgnored] {
			m.Index = r.log.committed
		}
		r.readies = append(r.readies, ReadState{ID: m.Read, Index: m.Index})
	case TimeoutNow:
		r.handleTimeoutNow()
	}
}

// stepHigherTerm adopts the term of a message that is ahead of us, and says whether the message
// is to be handled.
func (r *Raft) stepHigherTerm(m Message) bool {
	switch {
	case (m.Type == PreVote || m.Type == Vote) && !m.Disrupt && r.hearsLeader():
		// A node that hears its leader neither votes nor adopts the term: servers that were
		// cut off cannot disturb a cluster that works (§6, last paragraphs; thesis §4.2.3).
		return false
	case m.Type == PreVote, m.Type == PreVoteReply && !m.Reject:
		// The term is the one that would be campaigned in; nobody is in it yet.
		return true
	case r.role == Leader && r.cfg.Bugs[NoStepDown]:
		return m.Type == HeartbeatReply // takes them for answers in its own term, and obeys nobody
	}
	leader := None
	if m.Type == Append || m.Type == Heartbeat || m.Type == Install {
		leader = m.From
	}
	r.enter(m.Term, leader)
	return true
}

// hearsLeader says whether a leader was heard within the minimum election timeout.
func (r *Raft) hearsLeader() bool {
	return r.cfg.CheckQuorum && (r.role == Leader || (r.leader != None && r.elapsed < r.cfg.ElectionTicks))
}

// handleFromLeader accepts the sender as the leader of this term and does what it says.
func (r *Raft) handleFromLeader(m Message) {
	if r.role == Leader {
		return // a second leader of one term: only a planted bug can bring it here
	}
	if r.role != Follower || r.leader != m.From {
		r.become(Follower, m.From)
	}
	r.elapsed = 0
	switch m.Type {
	case Append:
		r.handleAppend(m)
	case Install:
		r.handleInstall(m)
	case Heartbeat:
		r.commitTo(m.Commit)
		r.send(Message{Type: HeartbeatReply, To: m.From, Read: m.Read})
	}
}

// send queues a message, in the current term unless the message has one of its own.
func (r *Raft) send(m Message) {
	m.From = r.cfg.ID
	if m.Term == 0 {
		m.Term = r.Term
	}
	r.messages = append(r.messages, m)
}

// others returns all members but this node, in order, which must not depend on anything.
func (r *Raft) others() []ID { return without(r.log.members().all(), r.cfg.ID) }

// otherVoters returns those of them that vote.
func (r *Raft) otherVoters() []ID { return without(r.log.members().Voters, r.cfg.ID) }
