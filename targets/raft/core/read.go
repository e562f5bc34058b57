package core

import "slices"

// Linearizable reads without writing to the log (§8; thesis §6.4, "ReadIndex"): the leader notes
// its commit index, makes sure by a round of heartbeats that it is still the leader, and whoever
// asked waits until that index is applied and then reads its own state.

// ReadState says that the read with the given ID may be served once Index is applied.
type ReadState struct {
	ID    uint64
	Index uint64
}

// reads are a leader's reads that are not confirmed yet.
type reads struct {
	round   uint64 // of the heartbeats that were last sent for reads; never decreases
	early   []read // came before an entry of this term was committed
	waiting []read // for an answer of a quorum to a heartbeat of their round, in order of rounds
	fresh   bool   // some of waiting need a heartbeat that is not sent yet
}

type read struct {
	from      ID
	id        uint64
	index     uint64
	confirmed uint64 // by the answers to this round
}

func (q *reads) reset() { *q = reads{round: q.round} }

// Read asks for a linearizable read. Its [ReadState] comes out of [Raft.Ready], now or later; it
// never comes if the leader is lost on the way, and the caller must then ask again. It returns
// false if there is no leader to ask.
func (r *Raft) Read(id uint64) bool {
	switch {
	case r.cfg.Bugs[StaleRead], r.cfg.Bugs[FollowerLeaseRead] && r.leader != None && r.elapsed < r.cfg.HeartbeatTicks:
		r.readies = append(r.readies, ReadState{ID: id, Index: r.log.applied})
	case r.role == Leader:
		r.addRead(read{from: r.cfg.ID, id: id})
	case r.leader != None:
		r.send(Message{Type: ReadIndex, To: r.leader, Read: id})
	default:
		return false
	}
	return true
}

func (r *Raft) handleReadIndex(m Message) {
	if r.role == Leader {
		r.addRead(read{from: m.From, id: m.Read})
	}
}

func (r *Raft) addRead(q read) {
	// A new leader knows the commit index only once an entry of its own term is committed
	// (etcd served stale reads for want of this, etcd-io/etcd#12762).
	if !r.committedThisTerm() && !r.cfg.Bugs[CommitOldTerm] && !r.cfg.Bugs[EarlyRead] {
		r.reads.early = append(r.reads.early, q)
		return
	}
	q.index = r.log.committed
	if r.cfg.Bugs[LeaseRead] && r.quorumAge() < r.cfg.ElectionTicks || r.cfg.Bugs[ReadUnconfirmed] {
		r.serve(q)
		return
	}
	q.confirmed = r.reads.round + 1
	r.reads.waiting = append(r.reads.waiting, q)
	r.reads.fresh = true
}

func (r *Raft) committedThisTerm() bool { return r.log.matches(r.log.committed, r.Term) }

// promoteReads lets the reads go on that waited for the first commit of the term.
func (r *Raft) promoteReads() {
	if !r.committedThisTerm() {
		return
	}
	early := r.reads.early
	r.reads.early = nil
	for _, q := range early {
		r.addRead(q)
	}
}

// startReads sends the heartbeats for the reads that came since the last round.
func (r *Raft) startReads() {
	if !r.reads.fresh {
		return
	}
	r.reads.fresh = false
	r.reads.round++
	r.broadcastHeartbeat()
	r.confirmReads()
}

// confirmReads serves the reads whose round a quorum has answered.
func (r *Raft) confirmReads() {
	r.progress[r.cfg.ID].read = r.reads.round
	confirmed := r.quorumth(func(p *progress) uint64 { return p.read })
	n := 0
	for n < len(r.reads.waiting) && r.reads.waiting[n].confirmed <= confirmed {
		r.serve(r.reads.waiting[n])
		n++
	}
	r.reads.waiting = slices.Delete(r.reads.waiting, 0, n)
}

func (r *Raft) serve(q read) {
	if q.from == r.cfg.ID {
		r.readies = append(r.readies, ReadState{ID: q.id, Index: q.index})
		return
	}
	r.send(Message{Type: ReadIndexReply, To: q.from, Read: q.id, Index: q.index})
}
