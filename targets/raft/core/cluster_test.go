package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// cluster is a few cores with a network that does what a test says: messages wait until they are
// delivered, cut links lose them, and disks keep what was handed out to be stored.
type cluster struct {
	nodes map[ID]*member
	mail  []Message
	cut   map[[2]ID]bool
	trace []string // what was delivered, applied and read, since it was last taken
}

type member struct {
	*Raft
	cfg     Config
	stored  Stored
	applied []Entry
	reads   []ReadState
}

// newCluster returns n nodes in term 0. The options may change each node's configuration.
func newCluster(n int, options ...func(*Config)) *cluster {
	c := &cluster{nodes: map[ID]*member{}, cut: map[[2]ID]bool{}}
	var peers []ID
	for id := ID(1); id <= ID(n); id++ {
		peers = append(peers, id)
	}
	for _, id := range peers {
		cfg := Config{
			ID: id, Peers: peers, HeartbeatTicks: 2, ElectionTicks: 10, MaxEntries: 4,
			PreVote: true, CheckQuorum: true, Rand: rand.New(rand.NewPCG(1, uint64(id))),
		}
		for _, o := range options {
			o(&cfg)
		}
		c.nodes[id] = &member{cfg: cfg}
		c.start(id)
	}
	return c
}

func plain(c *Config) { c.PreVote, c.CheckQuorum = false, false }

func withBug(b Bug) func(*Config) { return func(c *Config) { c.Bugs = Bugs{b: true} } }

// join starts a server that is no member.
func (c *cluster) join(id ID) {
	cfg := c.nodes[1].cfg
	cfg.ID, cfg.Rand = id, rand.New(rand.NewPCG(1, uint64(id)))
	c.nodes[id] = &member{cfg: cfg}
	c.start(id)
}

func (c *cluster) ids() []ID { return slices.Sorted(maps.Keys(c.nodes)) }

// start starts a node from its disk, as after a crash.
func (c *cluster) start(id ID) {
	m := c.nodes[id]
	stored := m.stored
	stored.Entries = slices.Clone(stored.Entries)
	raft, err := New(m.cfg, stored, func() Snapshot { return m.stored.Snapshot })
	if err != nil {
		panic(err)
	}
	m.Raft = raft
	c.settle(id)
}

// settle carries out what a node hands out.
func (c *cluster) settle(id ID) {
	m := c.nodes[id]
	for rd := m.Ready(); !rd.Empty(); rd = m.Ready() {
		if rd.HardState != nil {
			m.stored.HardState = *rd.HardState
		}
		if rd.Snapshot != nil {
			m.stored.Snapshot, m.stored.Entries = *rd.Snapshot, nil
			c.note("%v installs a snapshot at %d", id, rd.Snapshot.Index)
		}
		if len(rd.Entries) > 0 {
			keep := slices.IndexFunc(m.stored.Entries, func(e Entry) bool { return e.Index >= rd.Entries[0].Index })
			if keep >= 0 {
				m.stored.Entries = m.stored.Entries[:keep:keep]
			}
			m.stored.Entries = append(m.stored.Entries, rd.Entries...)
		}
		c.mail = append(c.mail, rd.Messages...)
		for _, e := range rd.Committed {
			m.applied = append(m.applied, e)
			if e.Members != nil {
				c.note("%v applies %d/%d %v", id, e.Index, e.Term, *e.Members)
				continue
			}
			c.note("%v applies %d/%d %q", id, e.Index, e.Term, e.Data)
		}
		for _, r := range rd.Reads {
			m.reads = append(m.reads, r)
			c.note("%v may serve read %d at index %d", id, r.ID, r.Index)
		}
	}
}

// deliver delivers messages, and those that they cause, until none is left that accept takes.
func (c *cluster) deliver(accept func(Message) bool) {
	for range 10_000 {
		i := slices.IndexFunc(c.mail, accept)
		if i < 0 {
			return
		}
		m := c.mail[i]
		c.mail = slices.Delete(c.mail, i, i+1)
		if c.cut[[2]ID{m.From, m.To}] {
			c.note("%s lost", show(m))
			continue
		}
		c.note("%s", show(m))
		if c.nodes[m.To] != nil {
			c.nodes[m.To].Step(m)
			c.settle(m.To)
		}
	}
	panic("messages go in circles")
}

func everything(Message) bool { return true }

// campaign lets a node's election timeout pass and the votes come in.
func (c *cluster) campaign(id ID) {
	c.nodes[id].Raft.campaign()
	c.settle(id)
	c.deliver(everything)
}

func (c *cluster) tick(id ID, n int) {
	for range n {
		c.nodes[id].Tick()
		c.settle(id)
	}
}

func (c *cluster) propose(id ID, data string) bool {
	_, _, ok := c.nodes[id].Propose([]byte(data))
	c.settle(id)
	return ok
}

func (c *cluster) read(id ID, read uint64) bool {
	ok := c.nodes[id].Read(read)
	c.settle(id)
	return ok
}

// isolate cuts all links of a node; heal mends all links.
func (c *cluster) isolate(id ID) {
	for other := range c.nodes {
		c.cut[[2]ID{id, other}], c.cut[[2]ID{other, id}] = true, true
	}
}

func (c *cluster) heal() { c.cut = map[[2]ID]bool{} }

func (c *cluster) note(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf(format, args...))
}

func (c *cluster) takeTrace() string {
	defer func() { c.trace = nil }()
	if len(c.trace) == 0 {
		return "nothing happens\n"
	}
	return strings.Join(c.trace, "\n") + "\n"
}

// log writes a node's log as terms, oldest first: "1 1 2".
func (c *cluster) log(id ID) string {
	var terms []string
	s := c.nodes[id].Status()
	for i := s.FirstIndex; i <= s.LastIndex; i++ {
		e, _ := c.nodes[id].Entry(i)
		terms = append(terms, fmt.Sprint(e.Term))
	}
	return strings.Join(terms, " ")
}

// setLog gives a node a log of entries of the given terms, as if it had received them.
func (c *cluster) setLog(id ID, terms ...uint64) {
	m := c.nodes[id]
	m.stored.Entries = nil
	for i, t := range terms {
		m.stored.Entries = append(m.stored.Entries, Entry{Index: uint64(i + 1), Term: t, Data: fmt.Appendf(nil, "e%d.%d", i+1, t)})
		m.stored.HardState.Term = t
	}
	c.start(id)
}

func show(m Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v->%v %v term=%d", m.From, m.To, m.Type, m.Term)
	switch m.Type {
	case PreVote, Vote:
		fmt.Fprintf(&b, " last=%d/%d", m.Index, m.LogTerm)
	case Append:
		fmt.Fprintf(&b, " prev=%d/%d commit=%d", m.Index, m.LogTerm, m.Commit)
		for _, e := range m.Entries {
			fmt.Fprintf(&b, " %d/%d", e.Index, e.Term)
		}
	case AppendReply:
		fmt.Fprintf(&b, " index=%d", m.Index)
	case Install:
		fmt.Fprintf(&b, " snapshot=%d/%d", m.Snapshot.Index, m.Snapshot.Term)
	case Heartbeat:
		fmt.Fprintf(&b, " commit=%d read=%d", m.Commit, m.Read)
	case HeartbeatReply, ReadIndex, ReadIndexReply:
		fmt.Fprintf(&b, " read=%d", m.Read)
	}
	if m.Reject {
		fmt.Fprintf(&b, " REJECT")
		if m.Type == AppendReply {
			fmt.Fprintf(&b, " hint=%d/%d", m.Hint, m.LogTerm)
		}
	}
	return b.String()
}
