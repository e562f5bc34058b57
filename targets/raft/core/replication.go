package core

import "slices"

// progress is what a leader knows of one follower.
type progress struct {
	match, next uint64
	// probing: next is a guess, and one Append at a time looks for the place where the logs
	// agree. Otherwise Appends are sent without waiting for answers, up to maxInflight.
	probing    bool
	inflight   int   // Appends under way
	weights    []int // of those, the oldest first
	bytes      int   // the sum of them
	installing bool  // a snapshot is under way, and nothing else
	advanced   int   // the tick at which something was last sent into silence, or acknowledged
	heard      int   // the tick at which the follower was last heard from
	read       uint64
}

const (
	maxInflight      = 64
	maxInflightBytes = 16 // times MaxBytes
	// installPatience is how many heartbeat intervals a follower gets to take in a snapshot
	// before it is sent again.
	installPatience = 20
)

// probe makes a guess at where the follower's log agrees, and starts anew from there.
func (p *progress) probe(next uint64) {
	p.next, p.probing, p.inflight, p.installing = max(next, p.match+1), true, 0, false
	p.weights, p.bytes = nil, 0
}

// sent notes that an Append is under way, and answered that one was acknowledged: answers come in order, or not at all.
func (p *progress) sent(bytes int) {
	p.inflight++
	p.weights = append(p.weights, bytes)
	p.bytes += bytes
}

func (p *progress) answered() {
	p.inflight = max(0, p.inflight-1)
	if len(p.weights) > 0 {
		p.bytes -= p.weights[0]
		p.weights = p.weights[1:]
	}
}

func (p *progress) window() int {
	switch {
	case p.installing:
		return 0
	case p.probing:
		return 1
	default:
		return maxInflight
	}
}

// Propose appends data to the log if this node leads, and does not hand leadership over, and returns where. The entry
// is committed once it comes out of [Raft.Ready] with the same index and term.
func (r *Raft) Propose(data []byte) (index, term uint64, ok bool) {
	if r.role != Leader || r.transferee != None {
		return 0, 0, false
	}
	r.append(Entry{Data: data})
	r.commit()
	return r.log.lastIndex(), r.Term, true
}

// append gives an entry its place at the end of the log.
func (r *Raft) append(e Entry) {
	e.Index, e.Term = r.log.lastIndex()+1, r.Term
	r.log.add(e)
	if e.Members != nil {
		r.reconfigure()
	}
	// The leader counts itself before the entry is stored. That is sound because nothing that
	// depends on it leaves before: Ready's order is store, send, apply.
	r.progress[r.cfg.ID].match = r.log.lastIndex()
}

// sendAppends sends what the follower lacks, as far as its window goes.
func (r *Raft) sendAppends(id ID) {
	room := r.cfg.MaxBytes * maxInflightBytes // 0: any amount
	for p := r.progress[id]; p.next <= r.log.lastIndex() && p.inflight < p.window() && (room == 0 || p.bytes < room); {
		r.sendAppend(id)
	}
}

// sendAppend sends one Append from next on, empty if there is nothing, or the snapshot if the
// log no longer reaches back that far.
func (r *Raft) sendAppend(id ID) {
	p := r.progress[id]
	if p.inflight == 0 {
		p.advanced = r.clock
	}
	prev := p.next - 1
	prevTerm, ok := r.log.term(prev)
	if !ok {
		s := r.snapshot()
		p.installing = true
		p.sent(len(s.Data))
		r.send(Message{Type: Install, To: id, Snapshot: &s})
		return
	}
	high := min(r.log.lastIndex()+1, p.next+uint64(r.cfg.MaxEntries))
	if r.cfg.MaxBytes > 0 {
		bytes := 0
		for i := p.next; i < high; i++ {
			if bytes += weight(r.log.slice(i, i+1)); bytes > r.cfg.MaxBytes {
				high = max(i, p.next+1)
				break
			}
		}
	}
	entries := slices.Clone(r.log.slice(p.next, high))
	p.sent(weight(entries))
	r.send(Message{Type: Append, To: id, Index: prev, LogTerm: prevTerm, Entries: entries, Commit: r.log.committed})
	if !p.probing {
		p.next = high
	}
	if r.cfg.Bugs[MatchOnSend] && high > p.match+1 {
		p.match = high - 1
		r.commit()
	}
}

func (r *Raft) handleAppend(m Message) {
	if m.Index < r.log.base {
		// What it starts from is compacted and therefore committed: say how far that is.
		r.send(Message{Type: AppendReply, To: m.From, Index: r.log.committed})
		return
	}
	if !r.log.matches(m.Index, m.LogTerm) && (!r.cfg.Bugs[AppendUnchecked] || m.Index > r.log.lastIndex()) {
		hint := r.log.conflict(m.Index, m.LogTerm)
		hintTerm, _ := r.log.term(hint)
		r.send(Message{Type: AppendReply, To: m.From, Reject: true, Index: m.Index, Hint: hint, LogTerm: hintTerm})
		return
	}
	if r.cfg.Bugs[StaleAppendTruncates] {
		r.log.truncate(max(m.Index, r.log.committed))
	}
	r.log.replace(m.Entries)
	last := m.Index + uint64(len(m.Entries))
	r.commitTo(min(m.Commit, last))
	r.send(Message{Type: AppendReply, To: m.From, Index: last})
}

func (r *Raft) handleInstall(m Message) {
	s := *m.Snapshot
	switch {
	case r.cfg.Bugs[SnapshotOverNewer]:
		r.log.drop(s)
		r.installed = &s
	case s.Index <= r.log.committed:
	case r.log.matches(s.Index, s.Term):
		// The entries are all here: the snapshot only says that they are committed (§7).
		r.commitTo(s.Index)
	default:
		r.log.compact(s, 0, 0)
		r.installed = &s
	}
	r.send(Message{Type: AppendReply, To: m.From, Index: s.Index})
}

func (r *Raft) handleAppendReply(m Message) {
	p := r.progress[m.From]
	if r.role != Leader || p == nil { // it was removed
		return
	}
	p.heard, p.advanced = r.clock, r.clock
	p.answered()
	if m.Reject && (r.cfg.Bugs[MatchOnSend] || r.cfg.Bugs[StaleAppendTruncates]) {
		p.match = 0 // or it would never find out where the follower stands
	}
	switch {
	case m.Reject && (m.Index <= p.match || (p.probing && m.Index != p.next-1)):
		// An old answer: the follower has come further since.
	case m.Reject:
		// Both sides step back over whole terms: the follower to Hint, and we from there to
		// where our own term is not above its.
		p.probe(r.log.conflict(m.Hint, m.LogTerm) + 1)
		r.sendAppend(m.From)
	case m.Index >= p.match:
		p.match = min(m.Index, r.log.lastIndex())
		p.next = max(p.next, p.match+1)
		if p.probing || p.installing {
			p.probe(p.match + 1)
			p.probing = false
		}
		r.commit()
		if m.From == r.transferee {
			r.handOver()
		}
	}
}

// commit advances the commit index to what a quorum has, if that is an entry of this term: only
// those are committed by counting replicas (§5.4.2).
func (r *Raft) commit() {
	index := r.quorumth(func(p *progress) uint64 { return p.match })
	if r.cfg.Bugs[CommitByTwo] && len(r.log.members().Voters) > 1 {
		index = r.secondMatch()
	}
	if index <= r.log.committed {
		return
	}
	if r.log.mustTerm(index) != r.Term && !r.cfg.Bugs[CommitOldTerm] {
		return
	}
	r.commitTo(index)
	r.promoteReads()
	// Followers learn of it at once: those that wait for their own clients' commands need not
	// wait for the next heartbeat.
	r.broadcastHeartbeat()
}

// secondMatch is what the leader and one more have, which is a quorum of three only.
func (r *Raft) secondMatch() uint64 {
	var most, second uint64
	for _, id := range r.log.members().Voters {
		m := r.progress[id].match
		most, second = max(most, m), max(second, min(most, m))
	}
	return second
}

func (r *Raft) commitTo(index uint64) {
	r.log.committed = max(r.log.committed, min(index, r.log.lastIndex()))
}

// quorumth returns the highest figure that a quorum of voters has reached. The leader need not be one of them (§4.2.2).
func (r *Raft) quorumth(figure func(*progress) uint64) uint64 {
	counted := r.log.members().Voters
	if r.cfg.Bugs[LearnersCount] {
		counted = r.log.members().all()
	}
	figures := make([]uint64, 0, len(counted))
	for _, id := range counted {
		figures = append(figures, figure(r.progress[id]))
	}
	slices.Sort(figures)
	return figures[len(figures)-r.quorum()]
}

// quorumAge returns for how many ticks a leader has not heard from a quorum.
func (r *Raft) quorumAge() int {
	r.progress[r.cfg.ID].heard = r.clock
	return r.clock - int(r.quorumth(func(p *progress) uint64 { return uint64(p.heard) }))
}

func (r *Raft) broadcastHeartbeat() {
	r.heartbeat = 0
	for _, id := range r.others() {
		// No further than the follower's log is known to agree with ours.
		commit := min(r.log.committed, r.progress[id].match)
		if r.cfg.Bugs[HeartbeatCommitsUnmatched] {
			commit = r.log.committed
		}
		r.send(Message{Type: Heartbeat, To: id, Commit: commit, Read: r.reads.round})
	}
}

func (r *Raft) handleHeartbeatReply(m Message) {
	// What was refused is a heartbeat of a former term, perhaps one that this node sent before it was started again: its
	// round of reads is of another count, and must not confirm any of today's.
	p := r.progress[m.From]
	if r.role != Leader || p == nil || m.Reject && !r.cfg.Bugs[NoStepDown] {
		return
	}
	p.heard = r.clock
	if m.Read > p.read {
		p.read = m.Read
		r.confirmReads()
	}
	// A follower that answers heartbeats, but for some time acknowledged nothing of what was
	// sent to it, has lost it: look again where it stands.
	patience := r.cfg.HeartbeatTicks
	if p.installing {
		patience *= installPatience
	}
	// What is lacking may not be under way any more either, for all that inflight says: answers to
	// what was sent twice count twice.
	lacks := p.installing || p.inflight > 0 || p.match < r.log.lastIndex()
	if lacks && r.clock-p.advanced > patience {
		next := p.match + 1
		if p.probing {
			next = p.next // a guess that was not answered is as good as before
		}
		p.probe(next)
		p.advanced = r.clock
		r.sendAppend(m.From)
	}
}
