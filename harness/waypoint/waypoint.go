// Package waypoint knows situations that a run should have come to before a green verdict means much, and sees from the
// history, while it grows or later, which of them it has come to. Its imports are those of package history's users: it
// knows no cluster.
//
// The situations are those in which field studies and the papers on consensus find bugs: elections that meet, leaders
// that are not any more, nodes that come back. Each is a name and a predicate, in one table.
package waypoint

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Waypoint is a situation.
type Waypoint struct {
	Name string
	// Needs is what the target must tell for it to be seen at all; empty if a history has it anyway.
	Needs string
	met   func(s *state, now moment) bool
}

// Reach says how often a run came to a situation, and when first.
type Reach struct {
	Name  string        `json:"name"`
	Times int           `json:"times"`
	First time.Duration `json:"first_ns"`
	// Unseen says that the target did not tell what the situation is known by.
	Unseen bool `json:"unseen,omitempty"`
}

// Names returns the names of all situations.
func Names() (names []string) {
	for _, w := range all {
		names = append(names, w.Name)
	}
	return names
}

// Tracker sees a history grow. It is safe for concurrent use.
type Tracker struct {
	mu    sync.Mutex
	state state
	reach []Reach
}

// NewTracker returns a tracker that has seen nothing.
func NewTracker() *Tracker {
	t := &Tracker{state: newState(), reach: make([]Reach, len(all))}
	for i, w := range all {
		t.reach[i].Name = w.Name
	}
	return t
}

// See takes the next event in.
func (t *Tracker) See(e history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, telling := t.state.take(e)
	if !telling {
		return
	}
	for i := range all {
		if !all[i].met(&t.state, now) {
			continue
		}
		if t.reach[i].Times++; t.reach[i].Times == 1 {
			t.reach[i].First = e.At
		}
	}
	t.state.after(now)
}

// Reached returns the names of the situations that were come to.
func (t *Tracker) Reached() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.reach {
		if r.Times > 0 {
			names = append(names, r.Name)
		}
	}
	return names
}

// Result returns all situations, and how often each was come to.
func (t *Tracker) Result() []Reach {
	t.mu.Lock()
	defer t.mu.Unlock()
	result := slices.Clone(t.reach)
	for i, w := range all {
		result[i].Unseen = w.Needs != "" && !t.state.told[w.Needs]
	}
	return result
}

// Of returns the situations that a recorded run has come to; nil if it is none that faults were made in.
func Of(h *history.History) []Reach {
	if len(h.Notes().Faults) == 0 {
		return nil
	}
	t := NewTracker()
	for e := range h.Events() {
		t.See(e)
	}
	return t.Result()
}

// moment is what an event is to the situations.
type moment struct {
	at   time.Duration
	kind momentKind
	// node is who claims, tells, or is asked; term what it claims or tells of.
	node string
	term uint64
	what string // told
	// fault is the one that begins, is in force, or was healed.
	fault *fault
}

type momentKind uint8

const (
	claims momentKind = iota + 1
	tells
	called // a client calls node
	inDoubt
	strikes // a fault is about to be done
	struck  // ... is in force
	heals   // ... is about to be undone
	healed
)

// fault is one that was begun.
type fault struct {
	takes  history.Takes
	deeds  []string
	began  time.Duration
	acts   bool
	led    map[string]uint64 // who led which term as it struck
	apart  []string          // deposed leaders that it kept from a majority, as it is about to be undone
	writes int               // that were in flight
}

func (f *fault) does(deed string) bool { return slices.Contains(f.deeds, deed) }

// state is what is known of a cluster at a moment.
type state struct {
	nodes    []string
	election time.Duration // the least time without a leader before an election
	leads    map[string]uint64
	claimed  map[uint64]string // by term: who claimed it first
	terms    []time.Duration   // when the last few terms were claimed
	top      uint64
	stood    map[uint64][]string // by term: who stood for election
	votes    map[string]uint64   // by node: the term of its last vote
	writes   map[int]bool        // processes whose write is in flight
	faults   map[int]*fault
	healedAt time.Duration            // the last heal
	lostAt   time.Duration            // since when there is no quorum; -1 if there is one
	sending  map[string]time.Duration // since when a node sends a snapshot
	told     map[string]bool          // what nodes tell at all
}

func newState() state {
	return state{
		election: 150 * time.Millisecond, leads: map[string]uint64{}, claimed: map[uint64]string{}, stood: map[uint64][]string{},
		votes: map[string]uint64{}, writes: map[int]bool{}, faults: map[int]*fault{}, healedAt: -1, lostAt: -1,
		sending: map[string]time.Duration{}, told: map[string]bool{},
	}
}

// take takes an event in, and reports whether it may be the last step to a situation. What cannot be read says nothing:
// it is the checkers' to object to it.
func (s *state) take(e history.Event) (m moment, telling bool) {
	m = moment{at: e.At, node: e.Node}
	switch {
	case e.Process >= 0:
		return s.call(e, m)
	case e.Process == history.Nemesis:
		return s.fault(e, m)
	case e.F == history.FTest:
		var t history.Test
		if json.Unmarshal(e.Value, &t) == nil {
			if s.nodes = t.Nodes; t.Timing != nil && t.Timing.Election > 0 {
				s.election = t.Timing.Election
			}
			for _, what := range t.Tells {
				s.told[what] = true
			}
		}
	case e.F == history.FClaim:
		var c history.Claim
		if json.Unmarshal(e.Value, &c) != nil {
			return m, false
		}
		m.kind, m.term = claims, c.Term
		s.leads[e.Node] = c.Term
		return m, true
	case e.F == history.FStatus:
		var st history.Status
		if json.Unmarshal(e.Value, &st) == nil && st.Role != "leader" {
			delete(s.leads, e.Node)
		}
	case e.F == history.FExit:
		delete(s.leads, e.Node)
	case e.F == history.FTold:
		var t history.Told
		if json.Unmarshal(e.Value, &t) != nil {
			return m, false
		}
		m.kind, m.term, m.what = tells, t.Term, t.What
		switch t.What {
		case history.ToldCandidate:
			if !slices.Contains(s.stood[t.Term], e.Node) {
				s.stood[t.Term] = append(s.stood[t.Term], e.Node)
			}
			delete(s.leads, e.Node)
		case history.ToldFollower:
			delete(s.leads, e.Node)
		case history.ToldVote:
			s.votes[e.Node] = t.Term
		case history.ToldSendsSnapshot:
			s.sending[e.Node] = e.At
		}
		return m, true
	}
	return m, false
}

func (s *state) call(e history.Event, m moment) (moment, bool) {
	switch e.Kind {
	case history.Invoke:
		if e.F != "read" {
			s.writes[e.Process] = true
		}
		m.kind = called
		return m, len(s.leads) > 1
	case history.Info:
		m.kind = inDoubt
		delete(s.writes, e.Process)
		return m, true
	}
	delete(s.writes, e.Process)
	return m, false
}

func (s *state) fault(e history.Event, m moment) (moment, bool) {
	var v history.FaultEvent
	if json.Unmarshal(e.Value, &v) != nil {
		return m, false
	}
	f := s.faults[v.ID]
	switch {
	case e.F != history.FHeal && e.Kind == history.Invoke && v.Takes != nil:
		var what struct {
			Deeds []struct {
				Kind string `json:"deed"`
			} `json:"deeds"`
		}
		_ = json.Unmarshal(v.Fault, &what) // then it is none of those that are known
		f = &fault{takes: *v.Takes, began: e.At, led: make(map[string]uint64), writes: len(s.writes)}
		for _, d := range what.Deeds {
			f.deeds = append(f.deeds, d.Kind)
		}
		for n, term := range s.leads {
			f.led[n] = term
		}
		s.faults[v.ID] = f
		m.kind = strikes
	case f == nil:
		return m, false
	case e.F != history.FHeal && e.Kind == history.OK:
		f.acts = true
		m.kind = struck
	case e.F == history.FHeal && e.Kind == history.Invoke:
		m.kind = heals
		for n, term := range f.led {
			if len(f.takes.Cut) > 0 && term < s.top && s.cutOff(n) {
				f.apart = append(f.apart, n)
			}
		}
	case e.F == history.FHeal && e.Kind == history.OK:
		m.kind = healed
		delete(s.faults, v.ID)
	default:
		return m, false
	}
	m.fault = f
	return m, true
}

// after is what a moment leaves behind once the situations were looked at.
func (s *state) after(m moment) {
	switch m.kind {
	case claims:
		if _, known := s.claimed[m.term]; !known {
			s.claimed[m.term] = m.node
			s.terms = append(s.terms, m.at)
		}
		s.top = max(s.top, m.term)
	case tells:
		if m.what == history.ToldInstalledSnapshot {
			clear(s.sending)
		}
	case struck, healed:
		if m.kind == struck && (m.fault.does("kill") || m.fault.does("replace") || m.fault.does("amnesia")) {
			for _, n := range m.fault.takes.Down {
				delete(s.leads, n)
				delete(s.sending, n)
			}
		}
		if m.fault.does("run-version") { // it is restarted, when it begins and when it is healed
			for _, n := range m.fault.takes.Version {
				delete(s.leads, n)
			}
		}
		if m.kind == healed {
			s.healedAt = m.at
		}
		switch quorate := s.taken().Quorate(s.nodes); {
		case !quorate && s.lostAt < 0:
			s.lostAt = m.at
		case quorate:
			s.lostAt = -1
		}
	}
}

// acting calls f for every fault that is in force, but for one.
func (s *state) acting(but *fault) (list []*fault) {
	for _, f := range s.faults {
		if f.acts && f != but {
			list = append(list, f)
		}
	}
	return list
}

// taken is what the faults in force take together, and takenBut what those but one do.
func (s *state) taken() history.Takes { return s.takenBut(nil) }

func (s *state) takenBut(but *fault) (sum history.Takes) {
	for _, f := range s.acting(but) {
		sum = sum.And(f.takes)
	}
	return sum
}
