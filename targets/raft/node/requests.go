package node

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// requests are the clients' requests that wait for an answer at this node. A change is answered
// when this node applies it, wherever it was proposed; a read when its index is applied.
type requests struct {
	changes map[uint64]*change // by session
	reads   map[uint64]*readRequest
	nextID  uint64
	idle    []lane
	bugs    core.Bugs
}

// lane is a session that is not in use. A session serves one change at a time; one whose change
// was left in doubt is never used again.
type lane struct{ session, serial uint64 }

type change struct {
	command
	data   []byte
	sent   time.Time // when it was last proposed or forwarded; zero: never
	ledIn  uint64    // the term in which this node itself put it into its log; 0: none
	answer chan answer
}

type readRequest struct {
	key       string
	asked     time.Time
	confirmed bool
	index     uint64
	answer    chan answer
}

// answer is what a client is told.
type answer struct {
	outcome outcome
	index   uint64
	refused bool // it is said that it did not happen, which only a planted bug says of what was sent
}

func newRequests() requests {
	// The numbers must not repeat after a restart, when answers to the former process may
	// still be on their way. This is identity, not chance, so it is not seeded.
	return requests{changes: map[uint64]*change{}, reads: map[uint64]*readRequest{}, nextID: rand.Uint64()}
}

func (q *requests) id() uint64 {
	q.nextID++
	return q.nextID
}

func (q *requests) addChange(c command) (*change, error) {
	l := lane{session: q.id()}
	if n := len(q.idle); n > 0 {
		l, q.idle = q.idle[n-1], q.idle[:n-1]
	}
	c.Session, c.Serial = l.session, l.serial+1
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p := &change{command: c, data: data, answer: make(chan answer, 1)}
	q.changes[c.Session] = p
	return p, nil
}

// answer tells the client of a change, if it waits here, what the change did.
func (q *requests) answer(c command, index uint64, out outcome) {
	p, ok := q.changes[c.Session]
	if !ok || p.Serial != c.Serial && !q.bugs[AnswerAnySerial] {
		return
	}
	p.answer <- answer{outcome: out, index: index}
	delete(q.changes, c.Session)
	q.idle = append(q.idle, lane{c.Session, c.Serial})
}

func (q *requests) addRead(key string) (uint64, *readRequest) {
	r := &readRequest{key: key, answer: make(chan answer, 1)}
	id := q.id()
	q.reads[id] = r
	return id, r
}

func (q *requests) confirmRead(s core.ReadState) {
	if r, ok := q.reads[s.ID]; ok && !r.confirmed {
		r.confirmed, r.index = true, s.Index
	}
}

// serveReads answers the reads whose index is applied.
func (q *requests) serveReads(applied uint64, get func(key string) *string) {
	for id, r := range q.reads {
		if r.confirmed && (applied >= r.index || q.bugs[ReadBeforeApply]) {
			r.answer <- answer{outcome: outcome{Done: true, Value: get(r.key)}, index: applied}
			delete(q.reads, id)
		}
	}
}

// leadershipLost answers, with planted bugs only, the changes that this node put into its log in a term that it led:
// whether they happen is for the next leader to decide.
func (q *requests) leadershipLost(term uint64) {
	if !q.bugs[AckOnStepDown] && !q.bugs[NoOnStepDown] {
		return
	}
	for session, p := range q.changes {
		if p.ledIn == term {
			p.answer <- answer{outcome: outcome{Done: true}, refused: q.bugs[NoOnStepDown]}
			delete(q.changes, session)
		}
	}
}

// renew makes another command of a change that waits, which only a planted bug does.
func (q *requests) renew(p *change) {
	delete(q.changes, p.Session)
	p.Session, p.Serial = q.id(), 1
	p.data, _ = json.Marshal(p.command) // strings and numbers
	q.changes[p.Session] = p
}

// drop forgets a change that nobody waits for any more, and its session with it.
func (q *requests) drop(p *change) {
	if q.changes[p.Session] == p { // not if it was answered and its session serves another
		delete(q.changes, p.Session)
	}
}

// submit proposes a change here or forwards it to the leader, whoever that is now.
func (n *node) submit(p *change) {
	if n.cfg.Bugs[RetryIsNew] && !p.sent.IsZero() {
		n.requests.renew(p)
	}
	index, _, led := n.raft.Propose(p.data)
	leader := n.raft.Status().Leader
	switch {
	case led && n.cfg.Bugs[AckBeforeCommit]:
		p.sent = time.Now()
		before := n.store.get(p.Key) // of the present state: the outcome is a guess
		done := p.Op == opPut || (before != nil && (p.Op == opDelete || *before == p.Old))
		n.requests.answer(p.command, index, outcome{Done: done, Value: before})
	case led:
		p.sent, p.ledIn = time.Now(), n.raft.Term
	case leader == n.cfg.ID: // it hands leadership over, and takes nothing for a moment
	case leader != core.None:
		p.sent = time.Now()
		n.transport.send(leader, frameForward, p.data)
		if n.cfg.Bugs[AckOnForward] {
			n.requests.answer(p.command, 0, outcome{Done: true})
		}
	}
}

// resubmit tries again what found no leader, or a leader that was lost since. A change may thus
// be proposed twice; its session and serial see to it that it is applied once.
func (n *node) resubmit() {
	patience := 2 * n.cfg.ElectionTimeout
	for _, session := range sortedKeys(n.requests.changes) {
		p := n.requests.changes[session]
		kept := n.raft.Status().Role == core.Leader && p.ledIn == n.raft.Term // it cannot be lost
		if !kept && time.Since(p.sent) > patience {
			n.submit(p)
		}
	}
	for _, id := range sortedKeys(n.requests.reads) {
		if r := n.requests.reads[id]; !r.confirmed && time.Since(r.asked) > patience && n.raft.Read(id) {
			r.asked = time.Now()
		}
	}
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
