// Package core is Multi-Paxos: a log of which each place is decided by one instance of Paxos (Lamport, Paxos Made
// Simple, 2001), under a store. One member leads: it has asked a majority for promises once, for all places, and then
// needs one round a change. Reads go through the log as well.
//
// Bugs can be planted at the places where the right code stands.
package core

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/targets/member"
)

// Times, in ticks.
const (
	AliveEvery = 4  // a leader says that it leads so often
	Silence    = 25 // after so long without a leader, and up to as long again, a member asks for promises
)

// Bug is a mistake that can be planted.
type Bug string

// The classic mistakes.
const (
	// ForgetPromise: what an acceptor promised is gone when it begins again.
	ForgetPromise Bug = "forget-promise"
	// OwnValue: a new leader proposes what it likes, in place of the value of the highest ballot that was accepted.
	OwnValue Bug = "own-value"
	// ReuseBallot: a ballot is a round alone, so that two members use the same one.
	ReuseBallot Bug = "reuse-ballot"
	// MixedQuorum: promises for different ballots are counted together.
	MixedQuorum Bug = "mixed-quorum"
	// FewLearn: a value counts as chosen when one less than a majority has accepted it.
	FewLearn Bug = "few-learn"
)

// Bugs returns all of them.
func Bugs() []Bug { return []Bug{ForgetPromise, OwnValue, ReuseBallot, MixedQuorum, FewLearn} }

// ballot is the number of a proposal: a round and who began it, so that no two members have the same.
type ballot uint64

func (p *Paxos) ballotOf(round uint64) ballot {
	if p.has(ReuseBallot) {
		return ballot(round * uint64(len(p.names)))
	}
	return ballot(round*uint64(len(p.names)) + uint64(slices.Index(p.names, p.id)))
}

func (p *Paxos) roundOf(b ballot) uint64 { return uint64(b) / uint64(len(p.names)) }

// command is what a place of the log holds. The zero command does nothing.
type command struct {
	From  string         `json:"from,omitempty"` // the member whose client waits for it
	Boot  uint64         `json:"boot,omitempty"` // which life of that member's
	What  member.Request `json:"what"`
	Empty bool           `json:"empty,omitempty"`
}

// accepted is a value that an acceptor has accepted.
type accepted struct {
	Ballot ballot  `json:"ballot"`
	Value  command `json:"value"`
}

// memory is what a member remembers.
type memory struct {
	Promised ballot            `json:"promised"` // it accepts nothing below
	Round    uint64            `json:"round"`    // the highest that it has begun
	Boot     uint64            `json:"boot"`     // how often it has begun
	Accepted map[int]accepted  `json:"accepted"` // by place
	Chosen   map[int]command   `json:"chosen"`   // ... by place, from Applied on
	Applied  int               `json:"applied"`  // how many places are applied
	State    map[string]string `json:"state"`
	Hash     uint64            `json:"hash"` // of all that was applied
}

// kind is what a message says.
type kind string

const (
	prepare kind = "prepare" // phase 1a: promise me to accept nothing below this ballot
	promise kind = "promise" // phase 1b: I do, and this is what I have accepted
	refuse  kind = "refuse"  // I have promised more than that
	accept  kind = "accept"  // phase 2a: accept this value at this place
	took    kind = "took"    // phase 2b: I have
	alive   kind = "alive"   // I lead, and so much is chosen
	behind  kind = "behind"  // I lack what was chosen from here on
	chosen  kind = "chosen"  // this was chosen
	forward kind = "forward" // a client asks this
	result  kind = "result"  // this is its answer
)

// message is what members tell each other.
type message struct {
	Kind     kind             `json:"kind"`
	Ballot   ballot           `json:"ballot,omitempty"`
	Place    int              `json:"place,omitempty"`
	Upto     int              `json:"upto,omitempty"` // the places that are chosen
	Value    command          `json:"value,omitzero"`
	Accepted map[int]accepted `json:"accepted,omitempty"`
	Chosen   map[int]command  `json:"chosen,omitempty"`
	Snapshot *memory          `json:"snapshot,omitempty"`
	Answer   *member.Answer   `json:"answer,omitempty"`
	Boot     uint64           `json:"boot,omitempty"`
}

// Paxos is a member.
type Paxos struct {
	id     string
	names  []string
	bugs   []Bug
	rand   *rand.Rand
	memory memory

	leader  string // as far as it knows
	ballot  ballot // its own: that it asks for promises with, or leads with
	leads   bool
	timer   int
	limit   int
	learned int // places that are known to be chosen, by the leader's word

	promises map[string]map[int]accepted // by member, of its own ballot
	acks     map[int]map[string]bool     // by place, of its own proposals: who has accepted
	values   map[int]command             // by place: what it proposes
	next     int                         // the first free place, as the leader

	effects member.Effects
	changed bool
}

// New returns a member that begins, or begins again with what it remembers.
func New(id string, members []string, seed uint64, bugs []Bug, remembered json.RawMessage) (*Paxos, error) {
	p := &Paxos{
		id: id, names: slices.Sorted(slices.Values(members)), bugs: bugs,
		memory: memory{Accepted: map[int]accepted{}, Chosen: map[int]command{}, State: map[string]string{}},
	}
	if remembered != nil {
		if err := json.Unmarshal(remembered, &p.memory); err != nil {
			return nil, err
		}
	}
	p.memory.Boot++
	if p.has(ForgetPromise) {
		p.memory.Promised = 0
	}
	p.rand = rand.New(rand.NewPCG(seed, p.memory.Boot<<16+uint64(rank(id))))
	p.rest()
	p.changed = true
	return p, nil
}

func rank(member string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(member, "n")) // only to tell members apart
	return n
}

func (p *Paxos) has(b Bug) bool { return slices.Contains(p.bugs, b) }

func (p *Paxos) majority() int { return len(p.names)/2 + 1 }

// rest begins to wait for a leader.
func (p *Paxos) rest() {
	p.timer, p.limit = 0, Silence+p.rand.IntN(Silence)
}

// Status implements [member.Core].
func (p *Paxos) Status() member.Status {
	s := member.Status{
		ID: p.id, Role: "follower", Term: uint64(p.memory.Promised), Leader: p.leader, Applied: uint64(p.memory.Applied),
		Hash: fmt.Sprintf("%016x", p.memory.Hash),
	}
	if p.leads {
		s.Role, s.Term, s.Leader = "leader", uint64(p.ballot), p.id
	}
	return s
}

func (p *Paxos) send(to string, m message) {
	p.effects.Send = append(p.effects.Send, member.To(to, m))
}

// toAll sends to all members, itself among them: that is an acceptor like the others.
func (p *Paxos) toAll(m message) {
	for _, name := range p.names {
		if name != p.id {
			p.send(name, m)
		}
	}
	p.take(p.id, m)
}

// done returns what is to be done about all that happened.
func (p *Paxos) done() member.Effects {
	e := p.effects
	p.effects = member.Effects{}
	if p.changed {
		e.Remember, _ = json.Marshal(p.memory) // texts and numbers
		p.changed = false
	}
	return e
}

// window is how many places are asked again at a time: if all were, members with much to do would get ever more.
const window = 32

// Tick implements [member.Core].
func (p *Paxos) Tick() member.Effects {
	p.timer++
	switch {
	case p.leads && p.timer >= AliveEvery:
		p.timer = 0
		for place := p.learned; place < min(p.next, p.learned+window); place++ { // what was lost is asked again
			p.toOthers(message{Kind: accept, Ballot: p.ballot, Place: place, Value: p.values[place], Upto: p.learned})
		}
		p.toOthers(message{Kind: alive, Ballot: p.ballot, Upto: p.learned})
	case !p.leads && p.timer >= p.limit:
		p.ask()
	}
	return p.done()
}

func (p *Paxos) toOthers(m message) {
	for _, name := range p.names {
		if name != p.id {
			p.send(name, m)
		}
	}
}

// ask asks for promises, with a ballot above all that it knows (phase 1a).
func (p *Paxos) ask() {
	p.memory.Round = max(p.memory.Round, p.roundOf(p.memory.Promised)) + 1
	p.changed = true
	p.ballot, p.leader = p.ballotOf(p.memory.Round), ""
	if p.promises == nil || !p.has(MixedQuorum) {
		p.promises = map[string]map[int]accepted{}
	}
	p.rest()
	p.toAll(message{Kind: prepare, Ballot: p.ballot, Place: p.memory.Applied})
}

// Receive implements [member.Core].
func (p *Paxos) Receive(from string, text json.RawMessage) member.Effects {
	var m message
	if json.Unmarshal(text, &m) == nil && slices.Contains(p.names, from) {
		p.take(from, m)
	}
	return p.done()
}

func (p *Paxos) take(from string, m message) {
	switch m.Kind {
	case prepare:
		p.prepared(from, m)
	case promise:
		p.promised(from, m)
	case refuse:
		p.refused(m)
	case accept:
		p.accepted(from, m)
	case took:
		p.tookIt(from, m)
	case alive:
		if m.Ballot >= p.memory.Promised {
			p.follow(from, m)
		}
	case behind:
		p.tell(from, m.Place)
	case chosen:
		p.learn(m)
	case forward:
		p.propose(m.Value)
	case result:
		if m.Answer != nil && m.Boot == p.memory.Boot {
			p.effects.Answers = append(p.effects.Answers, *m.Answer)
		}
	}
}

// reply answers a member, or itself at once.
func (p *Paxos) reply(to string, m message) {
	if to == p.id {
		p.take(p.id, m)
		return
	}
	p.send(to, m)
}

// prepared promises, unless it has promised more (phase 1b).
func (p *Paxos) prepared(from string, m message) {
	if m.Ballot < p.memory.Promised {
		p.reply(from, message{Kind: refuse, Ballot: p.memory.Promised})
		return
	}
	if m.Ballot > p.memory.Promised {
		p.memory.Promised, p.changed = m.Ballot, true
		if from != p.id {
			p.leads = false
			p.rest()
		}
	}
	had := map[int]accepted{}
	for place, a := range p.memory.Accepted {
		if place >= m.Place {
			had[place] = a
		}
	}
	if m.Place < p.memory.Applied {
		p.tell(from, m.Place) // it need not decide again what is chosen
	}
	p.reply(from, message{Kind: promise, Ballot: m.Ballot, Accepted: had, Upto: p.memory.Applied})
}

// promised counts promises; with a majority it leads, and proposes again what may have been chosen (phase 2a).
func (p *Paxos) promised(from string, m message) {
	if m.Ballot != p.ballot && !p.has(MixedQuorum) || p.leads || p.promises == nil {
		return
	}
	if m.Upto > p.memory.Applied {
		return // whoever promises has dropped what is chosen, and has told it: it asks anew once it knows
	}
	p.promises[from] = m.Accepted
	if len(p.promises) < p.majority() {
		return
	}
	p.leads, p.leader, p.timer = true, p.id, 0
	p.effects.Leads = uint64(p.ballot)
	p.acks, p.values = map[int]map[string]bool{}, map[int]command{}
	p.learned, p.next = p.memory.Applied, p.memory.Applied
	highest := map[int]accepted{}
	for _, name := range slices.Sorted(maps.Keys(p.promises)) {
		for place, a := range p.promises[name] {
			if h, ok := highest[place]; !ok || a.Ballot > h.Ballot {
				highest[place] = a
			}
			p.next = max(p.next, place+1)
		}
	}
	p.promises = nil
	upto := p.next
	p.next = p.learned
	for place := p.learned; place < upto; place++ {
		value := command{Empty: true}
		if h, ok := highest[place]; ok && !p.has(OwnValue) {
			value = h.Value
		}
		p.place(value)
	}
	p.place(command{Empty: true}) // so that it learns what is chosen, with nothing to do
}

// place proposes a value at the next free place.
func (p *Paxos) place(value command) {
	place := p.next
	p.next++
	p.values[place], p.acks[place] = value, map[string]bool{}
	p.toAll(message{Kind: accept, Ballot: p.ballot, Place: place, Value: value, Upto: p.learned})
}

// refused makes it give up: somebody has a higher ballot.
func (p *Paxos) refused(m message) {
	if m.Ballot > p.ballot {
		p.memory.Round, p.changed = max(p.memory.Round, p.roundOf(m.Ballot)), true
		p.giveUp()
	}
}

// giveUp ends its own ballot.
func (p *Paxos) giveUp() {
	if p.leads = false; !p.has(MixedQuorum) {
		p.promises = nil
	}
}

// accepted accepts a value, unless it has promised not to.
func (p *Paxos) accepted(from string, m message) {
	if m.Ballot < p.memory.Promised {
		p.reply(from, message{Kind: refuse, Ballot: p.memory.Promised})
		return
	}
	p.follow(from, m)
	if a := (accepted{m.Ballot, m.Value}); m.Place >= p.memory.Applied && p.memory.Accepted[m.Place] != a {
		p.memory.Accepted[m.Place], p.changed = a, true
	}
	p.reply(from, message{Kind: took, Ballot: m.Ballot, Place: m.Place})
}

// follow obeys a leader: what it says is chosen, and was accepted by this member with the leader's ballot, is.
func (p *Paxos) follow(from string, m message) {
	if m.Ballot > p.memory.Promised {
		p.memory.Promised, p.changed = m.Ballot, true
	}
	if from != p.id {
		p.giveUp()
		p.leader = from
		p.rest()
	}
	if from == p.id {
		return
	}
	for place := p.memory.Applied; place < m.Upto; place++ {
		a, ok := p.memory.Accepted[place]
		if !ok || a.Ballot != m.Ballot {
			p.send(from, message{Kind: behind, Place: p.memory.Applied})
			break
		}
		p.memory.Chosen[place] = a.Value
	}
	p.apply()
}

// tookIt counts acceptances; what a majority has accepted is chosen.
func (p *Paxos) tookIt(from string, m message) {
	if !p.leads || p.acks[m.Place] == nil || m.Ballot != p.ballot {
		return
	}
	p.acks[m.Place][from] = true
	wanted := p.majority()
	if p.has(FewLearn) {
		wanted--
	}
	for len(p.acks[p.learned]) >= wanted {
		p.memory.Chosen[p.learned] = p.values[p.learned]
		delete(p.acks, p.learned)
		p.learned++
	}
	p.apply()
}

// Request implements [member.Core].
func (p *Paxos) Request(r member.Request) member.Effects {
	c := command{From: p.id, Boot: p.memory.Boot, What: r}
	switch leader := cmp.Or(p.leader, ""); {
	case p.leads:
		p.propose(c)
	case leader != "" && leader != p.id:
		p.send(leader, message{Kind: forward, Value: c})
	default:
		p.effects.Answers = append(p.effects.Answers, member.Answer{ID: r.ID, Outcome: member.Refused, Why: "nobody leads"})
	}
	return p.done()
}

// propose proposes a client's command, if it leads. Otherwise nobody will: but the one who handed it on does not know.
func (p *Paxos) propose(c command) {
	if p.leads {
		p.place(c)
		return
	}
	a := member.Answer{ID: c.What.ID, Outcome: member.Refused, Why: "it does not lead any more"}
	p.reply(c.From, message{Kind: result, Answer: &a, Boot: c.Boot})
}
