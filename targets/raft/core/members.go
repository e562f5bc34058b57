package core

import (
	"errors"
	"fmt"
	"slices"
)

// Members says who belongs to a cluster: a configuration, in the words of Ongaro's thesis (chapter 4). Both lists are
// sorted, and no server is in both.
type Members struct {
	Voters   []ID // elect leaders, and make up the majorities
	Learners []ID // get the log and count for nothing, until they have caught up (§4.2.1)
}

// String names the voters, and the learners in brackets.
func (m Members) String() string {
	text := fmt.Sprint(m.Voters)
	if len(m.Learners) > 0 {
		text += fmt.Sprintf(" and %v learn", m.Learners)
	}
	return text
}

// all returns everybody, in order.
func (m Members) all() []ID {
	all := slices.Concat(m.Voters, m.Learners)
	slices.Sort(all)
	return all
}

// Votes says whether a server is a voter.
func (m Members) Votes(id ID) bool { return slices.Contains(m.Voters, id) }

// Learns says whether a server is a learner.
func (m Members) Learns(id ID) bool { return slices.Contains(m.Learners, id) }

// ChangeKind is what becomes of a server.
type ChangeKind uint8

// The changes. A server joins in two steps, so that one with an empty disk never counts (§4.2.1).
const (
	AddLearner ChangeKind = iota + 1
	Promote
	Remove
)

// String returns the kind in words.
func (k ChangeKind) String() string {
	return [...]string{"no change", "add learner", "promote", "remove"}[k]
}

// Change is a change of members, of one server at a time: so a majority of those before and a majority of those after
// it have a server in common, and no two leaders can be elected (§4.1).
type Change struct {
	Kind ChangeKind
	ID   ID
}

// with returns the members after a change, which are the same if it was made already.
func (m Members) with(c Change) (Members, error) {
	switch c.Kind {
	case AddLearner:
		if m.Votes(c.ID) || m.Learns(c.ID) {
			return m, nil
		}
		for _, id := range m.all() {
			if id.Place() == c.ID.Place() {
				return m, fmt.Errorf("%v stands where %v is to come", id, c.ID)
			}
		}
		return Members{m.Voters, sorted(m.Learners, c.ID)}, nil
	case Promote:
		switch {
		case m.Votes(c.ID):
			return m, nil
		case !m.Learns(c.ID):
			return m, fmt.Errorf("%v is no learner", c.ID)
		}
		return Members{sorted(m.Voters, c.ID), without(m.Learners, c.ID)}, nil
	case Remove:
		if m.Votes(c.ID) && len(m.Voters) == 1 {
			return m, fmt.Errorf("%v is the last voter", c.ID)
		}
		return Members{without(m.Voters, c.ID), without(m.Learners, c.ID)}, nil
	}
	return m, fmt.Errorf("unknown change %d", c.Kind)
}

func sorted(ids []ID, more ID) []ID {
	ids = append(slices.Clone(ids), more)
	slices.Sort(ids)
	return ids
}

func without(ids []ID, gone ID) []ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id ID) bool { return id == gone })
}

// Why a change is refused. Nothing has come of it then.
var (
	ErrNotLeader = errors.New("this node does not lead, or is handing leadership over")
	ErrTooEarly  = errors.New("a change before it, or the first entry of the leader's term, is not committed yet")
	ErrBehind    = errors.New("the learner has not caught up yet")
)

// Change proposes a change of members if this node leads. After nil it is in the log, or nothing had to change: it
// holds as soon as an entry from [Status].ChangedAt on is committed. A server is known by its ID, which is never used
// again once it is removed.
func (r *Raft) Change(c Change) error {
	if r.role != Leader || r.transferee != None {
		return ErrNotLeader
	}
	now := r.log.members()
	next, err := now.with(c)
	switch {
	case err != nil:
		return err
	case len(next.Voters) == len(now.Voters) && len(next.Learners) == len(now.Learners):
		return nil
	case r.log.changedAt() > r.log.committed && !r.cfg.Bugs[ChangesOverlap]:
		return ErrTooEarly
	case !r.committedThisTerm() && !r.cfg.Bugs[ChangeBeforeNoop]:
		// Or two leaders could each make a change of the same members, of which majorities have nobody in common: the
		// mistake that was found in 2015 (https://groups.google.com/g/raft-dev/c/t4xj6dJTP6E).
		return ErrTooEarly
	case c.Kind == Promote && !r.caughtUp(c.ID):
		return ErrBehind
	}
	r.append(Entry{Members: &next})
	r.commit()
	return nil
}

// caughtUp says whether a learner has something, and lacks no more than one message can bring.
func (r *Raft) caughtUp(id ID) bool {
	match := r.progress[id].match
	return match > 0 && match+uint64(r.cfg.MaxEntries) >= r.log.lastIndex()
}

// reconfigure follows a change that this leader has put into its log: it holds from there on, committed or not (§4.1).
func (r *Raft) reconfigure() {
	m := r.log.members()
	for id := range r.progress {
		if id != r.cfg.ID && !m.Votes(id) && !m.Learns(id) {
			delete(r.progress, id)
		}
	}
	for _, id := range m.all() {
		if r.progress[id] == nil {
			r.progress[id] = r.stranger()
		}
	}
}

// stranger is what a leader knows of a server that it has sent nothing yet.
func (r *Raft) stranger() *progress {
	return &progress{next: r.log.lastIndex() + 1, probing: true, heard: r.clock}
}

// mayLead says whether this node may stand for election: it votes, or did until a change that may be undone. Without
// the latter nobody might be able to win, as all others that have the change may be gone (§4.2.2).
func (r *Raft) mayLead() bool {
	return slices.ContainsFunc(r.log.since(r.log.committed), func(m Members) bool { return m.Votes(r.cfg.ID) })
}

// retire ends the leadership of one that is no voter any more, once that is committed (§4.2.2).
func (r *Raft) retire() {
	if !r.log.members().Votes(r.cfg.ID) && r.log.changedAt() <= r.log.committed {
		r.become(Follower, None)
	}
}
