package core

import "fmt"

// ID is a server: a place in the cluster, from 1, and how many servers have stood there before it. What one has
// promised or acknowledged must not be taken for the word of the next, which has an empty disk. None is no server.
type ID uint64

// None is the zero ID: no vote, no known leader.
const None ID = 0

const placeBits = 16

// NewID returns the server at a place, of which there were as many before as incarnation says.
func NewID(place uint16, incarnation int) ID { return ID(place) | ID(incarnation)<<placeBits }

// Place returns the first server that stood where this one does, whose name is that of the place.
func (id ID) Place() ID { return id & (1<<placeBits - 1) }

// Incarnation is how many servers have stood there before.
func (id ID) Incarnation() int { return int(id >> placeBits) }

// String returns the ID as servers are named in logs: n1, n2 and so on, and n1.1 for the second one at the place of n1.
func (id ID) String() string {
	if id.Incarnation() > 0 {
		return fmt.Sprintf("n%d.%d", uint64(id.Place()), id.Incarnation())
	}
	return fmt.Sprintf("n%d", uint64(id))
}

// Entry is one record of the replicated log: a command, or a change of members. One without either is a no-op.
type Entry struct {
	Index, Term uint64
	Data        []byte
	Members     *Members // from this entry on, or nil
}

// HardState is what must be on stable storage before a message leaves (Figure 2, "persistent
// state"); the log is the rest of it.
type HardState struct {
	Term uint64
	Vote ID
}

// Snapshot is the state of the application after the entry at Index, which has the given Term. Members are those at
// that index, or nobody at index 0.
type Snapshot struct {
	Index, Term uint64
	Data        []byte
	Members     Members
}

// MessageType says what a message asks or answers.
type MessageType uint8

// The messages. PreVote is the thesis' §9.6; Append and Heartbeat are AppendEntries with and
// without entries; ReadIndex is the thesis' §6.4.
const (
	PreVote MessageType = iota + 1
	PreVoteReply
	Vote
	VoteReply
	Append
	AppendReply
	Install // InstallSnapshot; answered by AppendReply
	Heartbeat
	HeartbeatReply
	ReadIndex
	ReadIndexReply
	TimeoutNow // thesis §3.10; not answered
)

var messageNames = [...]string{
	PreVote: "PreVote", PreVoteReply: "PreVoteReply", Vote: "Vote", VoteReply: "VoteReply",
	Append: "Append", AppendReply: "AppendReply", Install: "Install",
	Heartbeat: "Heartbeat", HeartbeatReply: "HeartbeatReply",
	ReadIndex: "ReadIndex", ReadIndexReply: "ReadIndexReply",
	TimeoutNow: "TimeoutNow",
}

// String returns the type's name.
func (t MessageType) String() string {
	if t == 0 || int(t) >= len(messageNames) {
		return fmt.Sprintf("MessageType(%d)", uint8(t))
	}
	return messageNames[t]
}

// Message is what nodes send to each other. Which fields mean something depends on the type.
type Message struct {
	Type     MessageType
	From, To ID
	Term     uint64
	// Index and LogTerm are the candidate's last entry (PreVote, Vote) or the entry before
	// Entries (Append). In an AppendReply, Index is the last entry known to match or, if
	// rejected, the entry that did not. In a ReadIndexReply it is the index to wait for.
	Index, LogTerm uint64
	Entries        []Entry
	Commit         uint64
	Reject         bool
	Disrupt        bool   // Vote: it is asked for by the leader, so that those vote too who hear it
	Hint           uint64 // rejected AppendReply: no entry after Hint, of term LogTerm, can match
	// Read is the round of reads that a Heartbeat confirms, echoed by its reply, or the id of
	// a request in ReadIndex and its reply.
	Read     uint64
	Snapshot *Snapshot
}

// reply says how a request is answered; zero for messages that are replies themselves.
func (t MessageType) reply() MessageType {
	switch t {
	case PreVote, Vote, Append, Heartbeat, ReadIndex:
		return t + 1
	case Install:
		return AppendReply
	default:
		return 0
	}
}
