package core

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"

	"github.com/sunder-dev/sunder/targets/member"
)

// tell tells a member what was chosen from a place on.
func (p *Paxos) tell(to string, from int) {
	if to == p.id || from >= p.memory.Applied {
		return
	}
	p.send(to, message{Kind: chosen, Snapshot: &memory{
		Applied: p.memory.Applied, State: maps.Clone(p.memory.State), Hash: p.memory.Hash,
	}})
}

// learn takes over what was chosen.
func (p *Paxos) learn(m message) {
	if s := m.Snapshot; s != nil && s.Applied > p.memory.Applied {
		p.memory.Applied, p.memory.State, p.memory.Hash, p.changed = s.Applied, maps.Clone(s.State), s.Hash, true
		if p.memory.State == nil {
			p.memory.State = map[string]string{}
		}
		p.forget()
		p.apply()
	}
}

// forget drops what is applied.
func (p *Paxos) forget() {
	for place := range p.memory.Accepted {
		if place < p.memory.Applied {
			delete(p.memory.Accepted, place)
		}
	}
	for place := range p.memory.Chosen {
		if place < p.memory.Applied {
			delete(p.memory.Chosen, place)
		}
	}
}

// apply applies what is chosen, in order.
func (p *Paxos) apply() {
	for {
		c, ok := p.memory.Chosen[p.memory.Applied]
		if !ok {
			break
		}
		a := p.execute(c)
		h := fnv.New64a()
		text, _ := json.Marshal(c) // texts and numbers
		fmt.Fprintf(h, "%d %016x %s", p.memory.Applied, p.memory.Hash, text)
		p.memory.Hash = h.Sum64()
		p.memory.Applied++
		p.changed = true
		switch {
		case c.Empty || !p.leads:
		case c.From == p.id && c.Boot == p.memory.Boot:
			p.effects.Answers = append(p.effects.Answers, a)
		case c.From != p.id:
			p.send(c.From, message{Kind: result, Answer: &a, Boot: c.Boot})
		}
	}
	p.forget()
}

// execute does what a command says.
func (p *Paxos) execute(c command) member.Answer {
	a := member.Answer{ID: c.What.ID, Outcome: member.OK}
	value, there := p.memory.State[c.What.Key]
	if there {
		a.Value = &value
	}
	switch {
	case c.Empty || c.What.Op == member.Get:
		return a
	case c.What.Op == member.CAS && (!there || value != c.What.Old):
		a.Outcome = member.Mismatch
		return a
	}
	p.memory.State[c.What.Key] = c.What.Value
	return a
}
