// Package core is the Bully algorithm (Garcia-Molina, Elections in a Distributed Computing System, IEEE Transactions on
// Computers, 1982; Coulouris, Tanenbaum) around a store: whoever is elected serves reads and writes, and sends changes
// to the others. The algorithm asks that messages come in time and that who does not answer is dead. Where a partition
// breaks that, each side elects a leader of its own: that is what it is here to show. It has no quorum, and its terms
// protect nothing.
package core

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/targets/member"
)

// Times, in ticks.
const (
	AliveEvery = 5  // a leader says that it is alive so often
	Silence    = 30 // a leader that was not heard of for so long is dead
	AnswerTime = 10 // a member that does not answer for so long is dead
	Patience   = 30 // whoever answered must become leader in this time, or another election is held
)

// kind is what a message says.
type kind string

const (
	election    kind = "election"    // I hold one; are you above me?
	answer      kind = "answer"      // I am, and hold one myself
	coordinator kind = "coordinator" // I lead, and this is the state
	alive       kind = "alive"       // I still lead
	behind      kind = "behind"      // I follow you, and lack something
	change      kind = "change"      // this was changed
	forward     kind = "forward"     // a client asks this
	result      kind = "result"      // this is its answer
)

// message is what members tell each other.
type message struct {
	Kind    kind              `json:"kind"`
	Term    uint64            `json:"term,omitempty"` // the number of the leader's election
	Seq     uint64            `json:"seq,omitempty"`  // of the last change
	State   map[string]string `json:"state,omitempty"`
	Key     string            `json:"key,omitempty"`
	Value   string            `json:"value,omitempty"`
	Request *member.Request   `json:"request,omitempty"`
	Answer  *member.Answer    `json:"answer,omitempty"`
}

// memory is what a member remembers.
type memory struct {
	Term  uint64            `json:"term"`
	Seen  uint64            `json:"seen"` // the highest term that it has heard of
	Seq   uint64            `json:"seq"`
	State map[string]string `json:"state"`
}

// phase is what a member is doing.
type phase int

const (
	follows phase = iota // a leader, or nobody yet
	asks                 // holds an election: waits for those above it
	expects              // one of them answered: it waits for it to lead
	leads
)

// Bully is a member.
type Bully struct {
	id     string
	others []string
	memory

	phase  phase
	leader string
	timer  int // ticks since it was last set
}

// New returns a member that begins, or begins again with what it remembers: it holds an election at once.
func New(id string, members []string, remembered json.RawMessage) (*Bully, error) {
	b := &Bully{id: id, memory: memory{State: map[string]string{}}, phase: follows, timer: Silence}
	for _, m := range members {
		if m != id {
			b.others = append(b.others, m)
		}
	}
	if remembered != nil {
		if err := json.Unmarshal(remembered, &b.memory); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// rank orders members: n10 is above n9.
func rank(member string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(member, "n")) // one without a number is below all others
	return n
}

func (b *Bully) above(other string) bool { return rank(other) > rank(b.id) }

// Status implements [member.Core].
func (b *Bully) Status() member.Status {
	role := map[phase]string{follows: "follower", asks: "candidate", expects: "candidate", leads: "leader"}[b.phase]
	return member.Status{ID: b.id, Role: role, Term: b.Term, Leader: b.leader, Applied: b.Seq}
}

func (b *Bully) send(to string, m message) member.Message { return member.To(to, m) }

func (b *Bully) toAll(m message) (all []member.Message) {
	for _, other := range b.others {
		all = append(all, b.send(other, m))
	}
	return all
}

// remembered is what is to be on disk now.
func (b *Bully) remembered() json.RawMessage {
	text, _ := json.Marshal(b.memory) // texts and numbers
	return text
}

// Tick implements [member.Core].
func (b *Bully) Tick() member.Effects {
	b.timer++
	switch b.phase {
	case leads:
		if b.timer >= AliveEvery {
			b.timer = 0
			return member.Effects{Send: b.toAll(message{Kind: alive, Term: b.Term, Seq: b.Seq})}
		}
	case follows:
		if b.timer >= Silence {
			return b.elect()
		}
	case asks:
		if b.timer >= AnswerTime {
			return b.lead()
		}
	case expects:
		if b.timer >= Patience {
			return b.elect()
		}
	}
	return member.Effects{}
}

// elect holds an election: those above are asked, and if there are none, it leads.
func (b *Bully) elect() (e member.Effects) {
	b.phase, b.leader, b.timer = asks, "", 0
	for _, other := range b.others {
		if b.above(other) {
			e.Send = append(e.Send, b.send(other, message{Kind: election, Term: b.Seen}))
		}
	}
	if len(e.Send) == 0 {
		return b.lead()
	}
	return e
}

// lead makes it the leader: nobody above it is alive, as far as it knows.
func (b *Bully) lead() member.Effects {
	b.phase, b.leader, b.timer = leads, b.id, 0
	b.Seen++
	b.Term = b.Seen
	return member.Effects{Remember: b.remembered(), Leads: b.Term, Send: b.toAll(b.whole())}
}

// whole is the state, for those who follow.
func (b *Bully) whole() message {
	return message{Kind: coordinator, Term: b.Term, Seq: b.Seq, State: maps.Clone(b.State)}
}

// Receive implements [member.Core].
func (b *Bully) Receive(from string, text json.RawMessage) member.Effects {
	var m message
	if json.Unmarshal(text, &m) != nil || !slices.Contains(b.others, from) {
		return member.Effects{} // nothing that a member says
	}
	b.Seen = max(b.Seen, m.Term)
	switch m.Kind {
	case election:
		e := member.Effects{Send: []member.Message{b.send(from, message{Kind: answer, Term: b.Seen})}}
		switch b.phase {
		case leads: // it says so anew, with a new number
			e = e.And(b.lead())
		case follows:
			e = e.And(b.elect())
		}
		return e
	case answer:
		if b.phase == asks {
			b.phase, b.timer = expects, 0
		}
	case coordinator, alive:
		return b.heed(from, m)
	case behind:
		if b.phase == leads {
			return member.Effects{Send: []member.Message{b.send(from, b.whole())}}
		}
	case change:
		return b.follow(from, m)
	case forward:
		return b.serveOther(from, m)
	case result:
		return member.Effects{Answers: []member.Answer{*m.Answer}}
	}
	return member.Effects{}
}

// heed takes the word of one who leads: who is above it is obeyed, and who is below it is bullied.
func (b *Bully) heed(from string, m message) member.Effects {
	if !b.above(from) {
		if b.phase == leads || b.phase == follows && b.leader == "" {
			return b.elect()
		}
		return member.Effects{} // it follows another one, who will see to that
	}
	if b.phase == follows && b.leader != "" && rank(from) < rank(b.leader) {
		return member.Effects{}
	}
	b.phase, b.leader, b.timer = follows, from, 0
	switch {
	case m.Kind == coordinator:
		if m.Term == b.Term && m.Seq < b.Seq {
			return member.Effects{} // it was overtaken by changes
		}
		b.memory = memory{Term: m.Term, Seen: b.Seen, Seq: m.Seq, State: maps.Clone(m.State)}
		if b.State == nil {
			b.State = map[string]string{}
		}
		return member.Effects{Remember: b.remembered()}
	case m.Term != b.Term || m.Seq > b.Seq:
		return member.Effects{Send: []member.Message{b.send(from, message{Kind: behind, Term: b.Seen})}}
	}
	return member.Effects{}
}

// follow makes a change that the leader made. One that does not follow the last one waits for the whole state.
func (b *Bully) follow(from string, m message) member.Effects {
	if b.phase != follows || from != b.leader || m.Term != b.Term || m.Seq != b.Seq+1 {
		return member.Effects{}
	}
	b.State[m.Key], b.Seq = m.Value, m.Seq
	return member.Effects{Remember: b.remembered()}
}

// Request implements [member.Core].
func (b *Bully) Request(r member.Request) member.Effects {
	switch {
	case b.phase == leads:
		a, e := b.serve(r)
		e.Answers = []member.Answer{a}
		return e
	case b.phase == follows && b.leader != "":
		return member.Effects{Send: []member.Message{b.send(b.leader, message{Kind: forward, Request: &r, Term: b.Seen})}}
	}
	return member.Effects{Answers: []member.Answer{{ID: r.ID, Outcome: member.Refused, Why: "nobody leads"}}}
}

// serveOther serves a request that another member handed on.
func (b *Bully) serveOther(from string, m message) member.Effects {
	a := member.Answer{ID: m.Request.ID, Outcome: member.Refused, Why: "it does not lead any more"}
	var e member.Effects
	if b.phase == leads {
		a, e = b.serve(*m.Request)
	}
	e.Send = append(e.Send, b.send(from, message{Kind: result, Answer: &a, Term: b.Seen}))
	return e
}

// serve serves a request, as the leader. Nobody else need have heard of a change before it is acknowledged.
func (b *Bully) serve(r member.Request) (a member.Answer, e member.Effects) {
	a = member.Answer{ID: r.ID, Outcome: member.OK}
	value, there := b.State[r.Key]
	if there {
		a.Value = &value
	}
	switch {
	case r.Op == member.Get:
		return a, e
	case r.Op == member.CAS && (!there || value != r.Old):
		a.Outcome = member.Mismatch
		return a, e
	}
	b.State[r.Key] = r.Value
	b.Seq++
	e.Remember = b.remembered()
	e.Send = b.toAll(message{Kind: change, Term: b.Term, Seq: b.Seq, Key: r.Key, Value: r.Value})
	return a, e
}
