package core

// Ready is what has to be done outside. The order is the contract: store HardState, Snapshot and
// Entries durably, all of them; then send Messages; then apply Committed and serve Reads. A node
// that dies in between has promised nothing that it did not store.
type Ready struct {
	HardState *HardState // nil if unchanged
	// Snapshot from the leader, or nil. It replaces the application's state and the whole log.
	Snapshot *Snapshot
	// Entries to store. The first may come before the end of the stored log: then everything
	// from its index on is replaced.
	Entries   []Entry
	Messages  []Message
	Committed []Entry
	Reads     []ReadState
}

// Empty says that there is nothing to do.
func (r *Ready) Empty() bool {
	return r.HardState == nil && r.Snapshot == nil && len(r.Entries) == 0 && len(r.Messages) == 0 &&
		len(r.Committed) == 0 &&
		len(r.Reads) == 0
}

// Ready hands out everything that is to be done, once: the caller must do it all before the next
// call of any method.
func (r *Raft) Ready() Ready {
	if r.role == Leader {
		r.startReads()
		for _, id := range r.others() {
			r.sendAppends(id) // all that was proposed since the last time, in one message
		}
		r.retire()
	}
	out := Ready{Snapshot: r.installed, Messages: r.messages, Reads: r.readies}
	r.installed, r.messages, r.readies = nil, nil, nil
	if r.HardState != r.saved {
		hard := r.HardState
		out.HardState, r.saved = &hard, hard
	}
	l := &r.log
	if l.handed < l.lastIndex() {
		out.Entries = l.slice(l.handed+1, l.lastIndex()+1)
		l.handed = l.lastIndex()
	}
	if l.applied < l.committed {
		out.Committed = l.slice(l.applied+1, l.committed+1)
		l.applied = l.committed
	}
	return out
}
