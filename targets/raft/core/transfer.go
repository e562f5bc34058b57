package core

// Transfer begins to hand leadership over to the follower that is the furthest of those that were heard of late, and
// returns it; None if this node does not lead, or heard nobody (thesis §3.10). Nothing is proposed here until it is
// over: for an election timeout at the most.
func (r *Raft) Transfer() ID {
	if r.role != Leader || r.transferee != None {
		return r.transferee
	}
	for _, id := range r.otherVoters() {
		p := r.progress[id]
		if r.clock-p.heard < r.cfg.ElectionTicks && (r.transferee == None || p.match > r.progress[r.transferee].match) {
			r.transferee = id
		}
	}
	r.transferUntil = r.clock + r.cfg.ElectionTicks
	r.handOver()
	return r.transferee
}

// handOver lets the one that leadership is to be handed over to stand for election at once, if it has all entries.
func (r *Raft) handOver() {
	if r.transferee != None && r.progress[r.transferee].match == r.log.lastIndex() {
		r.send(Message{Type: TimeoutNow, To: r.transferee})
	}
}

// handleTimeoutNow starts an election without waiting for a timeout. No pre-vote asks whether it can be won, and those
// who hear the leader vote all the same: it is the leader that asks for it.
func (r *Raft) handleTimeoutNow() {
	if r.role != Leader && r.mayLead() { // a second leader of one term: only a planted bug can bring it here
		r.elect(true)
	}
}
