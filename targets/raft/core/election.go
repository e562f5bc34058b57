package core

// campaign starts an election, or a pre-election that first asks whether one could be won.
func (r *Raft) campaign() {
	if r.cfg.PreVote {
		r.become(PreCandidate, None)
		r.canvass()
		return
	}
	r.elect(false)
}

// elect starts an election in a new term (§5.2), which the leader may have asked for.
func (r *Raft) elect(disrupt bool) {
	r.Term++
	r.become(Candidate, None)
	r.disrupt = disrupt
	r.Vote = r.cfg.ID
	if r.cfg.Bugs[CandidateVotesForOthers] {
		r.Vote = None
	}
	r.canvass()
}

// canvass asks all others for their votes and counts one's own.
func (r *Raft) canvass() {
	r.votes = map[ID]bool{r.cfg.ID: true}
	r.solicit()
	r.tally()
}

// solicit asks those for their votes who have not answered yet. Requests are repeated until they
// are answered (§5.1): a voter may have been down.
func (r *Raft) solicit() {
	r.heartbeat = 0
	m := Message{Type: Vote, Term: r.Term, Index: r.log.lastIndex(), LogTerm: r.electionTerm(), Disrupt: r.disrupt}
	if r.role == PreCandidate {
		m.Type, m.Term = PreVote, r.Term+1
	}
	for _, id := range r.otherVoters() {
		if _, answered := r.votes[id]; !answered {
			m.To = id
			r.send(m)
		}
	}
}

func (r *Raft) handleVote(m Message) {
	// One vote a term, first come first served (§5.2). A pre-vote promises nothing and may be
	// given to many, but not against a leader that is there.
	free := r.Vote == m.From || (r.Vote == None && r.leader == None) || (m.Type == PreVote && m.Term > r.Term)
	if r.cfg.Bugs[TwoVotes] {
		free = r.role != Leader
	}
	grant := free && r.upToDate(m.Index, m.LogTerm)
	reply := Message{Type: m.Type.reply(), To: m.From, Reject: !grant}
	if grant {
		reply.Term = m.Term // of the campaign, which for a pre-vote is not ours
		if m.Type == Vote {
			r.Vote = m.From
			r.elapsed = 0
		}
	}
	r.send(reply)
}

// upToDate says whether a log that ends with the given entry may lead this node (§5.4.1): its
// last term is higher, or it is the same and the log is not shorter.
func (r *Raft) upToDate(index, term uint64) bool {
	if r.cfg.Bugs[VoteStaleLog] {
		return true
	}
	last := r.electionTerm()
	switch {
	case r.cfg.Bugs[VoteTermOnly]:
		return term >= last
	case r.cfg.Bugs[VoteIndexOnly]:
		return index >= r.log.lastIndex()
	}
	return term > last || (term == last && index >= r.log.lastIndex())
}

// electionTerm is the term by which logs are compared in elections.
func (r *Raft) electionTerm() uint64 {
	if before, ok := r.log.term(r.log.lastIndex() - 1); ok && r.cfg.Bugs[LastTermOff] {
		return before
	}
	return r.log.lastTerm()
}

func (r *Raft) handleVoteReply(m Message) {
	asked := (r.role == PreCandidate && m.Type == PreVoteReply && (m.Reject || m.Term == r.Term+1)) ||
		(r.role == Candidate && m.Type == VoteReply)
	if !asked {
		return
	}
	if _, voted := r.votes[m.From]; !voted {
		r.votes[m.From] = !m.Reject
	} else if r.cfg.Bugs[VotesCountedTwice] && !m.Reject {
		r.again++
	}
	r.tally()
}

// tally counts the votes and draws the consequence, if there is one yet.
func (r *Raft) tally() {
	granted, rejected := r.again, 0
	for _, id := range r.log.members().Voters {
		if yes, voted := r.votes[id]; yes {
			granted++
		} else if voted {
			rejected++
		}
	}
	switch {
	case granted >= r.quorum() && r.role == PreCandidate && r.cfg.Bugs[PreVoteElects]:
		r.Term, r.Vote = r.Term+1, r.cfg.ID
		r.lead()
	case granted >= r.quorum() && r.role == PreCandidate:
		r.elect(false)
	case granted >= r.quorum():
		r.lead()
	case rejected >= r.quorum():
		r.become(Follower, None)
	}
}

// lead begins the leadership of this term.
func (r *Raft) lead() {
	r.become(Leader, r.cfg.ID)
	r.progress = map[ID]*progress{r.cfg.ID: r.stranger()}
	r.reconfigure()
	r.progress[r.cfg.ID].match = r.log.lastIndex()
	if !r.cfg.Bugs[CommitOldTerm] {
		r.append(Entry{}) // a no-op, so that entries of former terms get committed (§8)
	}
	r.commit()
	r.broadcastHeartbeat()
	for _, id := range r.others() {
		r.sendAppend(id) // even if there is nothing new: it finds out where the follower stands
	}
}
