// Package node runs a member of the built-in Raft as a process: the consensus of package core,
// made durable by a write-ahead log, talking TCP to its peers and HTTP to its clients.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// The planted bugs of the node, beside those of package core.
const (
	// AckBeforeFsync answers while the entry still sits in the process's own buffer.
	AckBeforeFsync core.Bug = "ack-before-fsync"
	// AckBeforeCommit answers as soon as the leader has the entry in its own log.
	AckBeforeCommit core.Bug = "ack-before-commit"
	// CASUnchecked does not compare before it sets.
	CASUnchecked core.Bug = "cas-unchecked"
	// ApplyTwice applies a command again when it was proposed again.
	ApplyTwice core.Bug = "apply-twice"
	// TermAndVoteApart stores a term at once, and the vote that was cast in it with the next record.
	TermAndVoteApart core.Bug = "term-and-vote-apart"
	// FlushLate writes the log to disk twenty times a second.
	FlushLate core.Bug = "flush-late"
	// ReplayDropsLast loses the last entry of the log at the start.
	ReplayDropsLast core.Bug = "replay-drops-last"
	// CompactForgetsVote starts a new log file without term and vote.
	CompactForgetsVote core.Bug = "compact-forgets-vote"
	// SnapshotBehind stores, as the state at an index, one of some time before.
	SnapshotBehind core.Bug = "snapshot-behind-its-index"
	// SnapshotLosesSessions leaves the clients' sessions out of snapshots.
	SnapshotLosesSessions core.Bug = "snapshot-loses-sessions"
	// SessionsExpireEarly forgets sessions while their commands may still come again; SessionsExpireByClock forgets them
	// by each node's own clock.
	SessionsExpireEarly   core.Bug = "sessions-expire-early"
	SessionsExpireByClock core.Bug = "sessions-expire-by-clock"
	// RetryIsNew proposes a command again as another one.
	RetryIsNew core.Bug = "retry-is-new"
	// AnswerAnySerial takes the answer to any command of a session for that to the one which waits.
	AnswerAnySerial core.Bug = "answer-any-serial"
	// AckOnStepDown answers yes to what waits when a leader steps down, and NoOnStepDown answers no.
	AckOnStepDown core.Bug = "ack-on-step-down"
	NoOnStepDown  core.Bug = "no-on-step-down"
	// AckOnForward answers once a command was forwarded to the leader.
	AckOnForward core.Bug = "ack-on-forward"
	// ReadBeforeApply serves a read before its index is applied.
	ReadBeforeApply core.Bug = "read-before-apply"
	// DirtyRead serves reads from entries that are not committed.
	DirtyRead core.Bug = "dirty-read"
	// CASComparesEarly compares when a request comes in, and sets when it is applied.
	CASComparesEarly core.Bug = "cas-compares-early"
	// ReadCache serves a key that was read a moment ago from memory.
	ReadCache core.Bug = "read-cache"
)

// Config is what a node must know from the start.
type Config struct {
	ID core.ID
	// Peers are the places, where to reach who stands there, and where this node listens for the others. The first to
	// stand there are the cluster's first members.
	Peers  map[core.ID]string
	Client string // where to listen for clients
	Dir    string // for the log and the snapshot

	Heartbeat, ElectionTimeout time.Duration // elections start after 1 to 2 times ElectionTimeout
	RequestTimeout             time.Duration // after which a client is told that its request is in doubt
	SnapshotEvery              uint64        // entries between snapshots
	SnapshotKeep               uint64        // entries kept in the log behind a snapshot
	SnapshotBytes              int           // what the log may weigh before a snapshot is taken sooner
	MaxEntries, MaxBytes       int           // in one message
	PreVote, CheckQuorum       bool
	Seed                       uint64
	Vary                       bool // draw settings of the protocol anew at each start
	Bugs                       core.Bugs
}

// DefaultConfig returns the paper's timeouts (§9.3) and this implementation's habits.
func DefaultConfig() Config {
	return Config{
		Heartbeat:       50 * time.Millisecond,
		ElectionTimeout: 150 * time.Millisecond,
		RequestTimeout:  2 * time.Second,
		SnapshotEvery:   5000,
		SnapshotKeep:    500,
		SnapshotBytes:   64 << 20,
		MaxEntries:      256,
		MaxBytes:        1 << 20,
		PreVote:         true,
		CheckQuorum:     true,
	}
}

// ticksPerHeartbeat is the resolution of a node's clock.
const ticksPerHeartbeat = 5

func (c *Config) tick() time.Duration { return c.Heartbeat / ticksPerHeartbeat }

func (c *Config) validate() error {
	switch {
	case c.Peers[c.ID.Place()] == "":
		return fmt.Errorf("node %v: its own address is not among the peers", c.ID)
	case c.Client == "":
		return errors.New("node: no address to listen on for clients")
	case c.Dir == "":
		return errors.New("node: no data directory")
	case c.tick() < time.Millisecond:
		return fmt.Errorf(
			"node: a heartbeat of %v is too short: at least %v",
			c.Heartbeat,
			ticksPerHeartbeat*time.Millisecond,
		)
	case c.ElectionTimeout <= c.Heartbeat:
		return fmt.Errorf("node: election timeout %v must be longer than the heartbeat %v", c.ElectionTimeout, c.Heartbeat)
	case c.RequestTimeout <= 0:
		return errors.New("node: the request timeout must be positive")
	case c.SnapshotEvery == 0:
		return errors.New("node: snapshots every 0 entries")
	case c.SnapshotBytes <= 0 || c.MaxBytes <= 0:
		return errors.New("node: the bytes of a log and of a message must be bounded")
	}
	return nil
}

// node is a running member. All of its state belongs to one goroutine, the loop; others reach
// it by sending it functions to call.
type node struct {
	cfg       Config
	log       *slog.Logger
	raft      *core.Raft
	wal       *wal
	store     *store
	snapshot  core.Snapshot // the newest that is stored
	transport *transport
	events    chan func()
	ctx       context.Context

	requests requests
	image    []byte // of the state, which only a planted bug keeps
	cache    map[string]cached
	role     core.Role // as last logged
	term     uint64
	leader   core.ID
	vote     core.ID
}

// Run runs a node until ctx ends or its storage fails.
func Run(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	if cfg.Vary {
		if err := cfg.vary(); err != nil {
			return fmt.Errorf("vary: %w", err)
		}
	}
	if err := cfg.validate(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n := &node{
		cfg: cfg, log: log.With("node", cfg.ID.String()), store: newStore(),
		events: make(chan func(), 1024), ctx: ctx, requests: newRequests(),
	}
	n.store.bugs = cfg.Bugs
	n.requests.bugs = cfg.Bugs
	if err := n.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.wal.close()) }()

	var listen net.ListenConfig
	peers, err := listen.Listen(ctx, "tcp", cfg.Peers[cfg.ID.Place()])
	if err != nil {
		return fmt.Errorf("listen for peers: %w", err)
	}
	clients, err := listen.Listen(ctx, "tcp", cfg.Client)
	if err != nil {
		peers.Close()
		return fmt.Errorf("listen for clients: %w", err)
	}
	n.transport = newTransport(cfg.ID, cfg.Peers, n.receive, n.log)
	api := &http.Server{Handler: n.handler(), ReadHeaderTimeout: 5 * time.Second}
	var running sync.WaitGroup
	running.Go(func() { n.transport.run(ctx, peers) })
	running.Go(func() { _ = api.Serve(clients) })
	n.log.Info(
		"serving",
		"peer",
		cfg.Peers[cfg.ID.Place()],
		"client",
		cfg.Client,
		"bugs",
		cfg.Bugs.String(),
		"term",
		n.raft.Term,
		"settings",
		cfg.settings(),
	)

	err = n.loop()
	stop()
	api.Close()
	running.Wait()
	return err
}

// open reads the storage and builds the core and the state machine from it.
func (n *node) open() error {
	w, stored, err := openWAL(n.cfg.Dir, n.cfg.Bugs)
	if err != nil {
		return err
	}
	n.wal, n.snapshot = w, stored.Snapshot
	if err := n.store.restore(stored.Snapshot.Data); err != nil {
		return err
	}
	peers := make([]core.ID, 0, len(n.cfg.Peers))
	for id := range n.cfg.Peers {
		peers = append(peers, id)
	}
	n.raft, err = core.New(core.Config{
		ID: n.cfg.ID, Peers: peers, HeartbeatTicks: ticksPerHeartbeat,
		ElectionTicks: int(n.cfg.ElectionTimeout / n.cfg.tick()), MaxEntries: n.cfg.MaxEntries, MaxBytes: n.cfg.MaxBytes,
		PreVote: n.cfg.PreVote, CheckQuorum: n.cfg.CheckQuorum,
		Rand: rand.New(rand.NewPCG(n.cfg.Seed, uint64(n.cfg.ID))), Bugs: n.cfg.Bugs,
	}, stored, func() core.Snapshot { return n.snapshot })
	n.term, n.vote = stored.HardState.Term, stored.HardState.Vote // which was told in a former life
	return err
}

// loop owns the node's state.
func (n *node) loop() error {
	tick := time.NewTicker(n.cfg.tick())
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return nil
		case <-tick.C:
			n.raft.Tick()
			n.noteRole()
			n.resubmit()
		case f := <-n.events:
			f()
			n.noteRole()
			// Whatever else is there goes into the same sync of the log.
			for more := true; more; {
				select {
				case f := <-n.events:
					f()
					n.noteRole()
				default:
					more = false
				}
			}
		}
		if err := n.process(); err != nil {
			n.log.Error("storage failed", "err", err)
			return err
		}
	}
}

// do has f called by the loop; it reports false if the node is stopping.
func (n *node) do(f func()) bool {
	select {
	case n.events <- f:
		return true
	case <-n.ctx.Done():
		return false
	}
}

// receive takes in a frame from a peer.
func (n *node) receive(kind byte, content []byte) {
	if kind == frameForward {
		n.do(func() { n.raft.Propose(content) })
		return
	}
	m, err := decodeMessage(content)
	if err != nil {
		n.log.Warn("message refused", "err", err)
		return
	}
	n.do(func() { n.raft.Step(m) })
}

// process does what the core hands out, in the order that it demands: store, send, apply.
func (n *node) process() error {
	for {
		rd := n.raft.Ready()
		if rd.Empty() {
			return nil
		}
		if rd.Snapshot != nil {
			if err := n.install(*rd.Snapshot); err != nil {
				return err
			}
		}
		if err := n.wal.save(rd.HardState, rd.Entries); err != nil {
			return fmt.Errorf("write-ahead log: %w", err)
		}
		for _, m := range rd.Messages {
			if m.Type == core.Install {
				n.log.Info("sends snapshot", "index", m.Snapshot.Index, "to", m.To.String())
			}
			n.transport.send(m.To, frameMessage, encodeMessage(m))
		}
		for _, e := range rd.Committed {
			n.apply(e)
		}
		for _, r := range rd.Reads {
			n.requests.confirmRead(r)
		}
		n.requests.serveReads(n.store.Applied, n.get)
		if n.cfg.Bugs[SnapshotBehind] && n.image == nil && n.store.Applied >= n.snapshot.Index+n.cfg.SnapshotEvery/2 {
			n.image, _ = n.store.snapshot()
		}
		heavy := n.raft.LogBytes() > n.cfg.SnapshotBytes && n.store.Applied > n.snapshot.Index
		if heavy || n.store.Applied >= n.snapshot.Index+n.cfg.SnapshotEvery {
			if err := n.takeSnapshot(); err != nil {
				return err
			}
		}
	}
}

// apply applies a committed entry and answers whoever waits for it at this node.
func (n *node) apply(e core.Entry) {
	if e.Members != nil {
		n.log.Info("members changed", "index", e.Index, "members", e.Members.String())
	}
	if len(e.Data) == 0 {
		n.store.Applied = e.Index
		return
	}
	var c command
	if err := json.Unmarshal(e.Data, &c); err != nil {
		n.log.Error("entry skipped: it is no command", "index", e.Index, "err", err)
		n.store.Applied = e.Index
		return
	}
	out := n.store.apply(e.Index, c, n.cfg.Bugs[CASUnchecked])
	n.requests.answer(c, e.Index, out)
}

// install replaces all state by a snapshot from the leader.
func (n *node) install(s core.Snapshot) error {
	if err := n.wal.compact(s, n.raft.HardState, nil); err != nil {
		return err
	}
	n.snapshot = s
	n.log.Info("installed snapshot", "index", s.Index, "term", s.Term)
	return n.store.restore(s.Data)
}

// takeSnapshot stores the applied state and drops the log before it.
func (n *node) takeSnapshot() error {
	data, err := n.store.snapshot()
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if n.image != nil {
		data, n.image = n.image, nil
	}
	s, ok := n.raft.Snapshot(n.store.Applied, data)
	if !ok {
		return nil // only a planted bug truncates what is applied
	}
	var after []core.Entry
	for i := s.Index + 1; i <= n.raft.Status().LastIndex; i++ {
		e, _ := n.raft.Entry(i)
		after = append(after, e)
	}
	if err := n.wal.compact(s, n.raft.HardState, after); err != nil {
		return err
	}
	n.snapshot = s
	n.raft.Compact(s, n.cfg.SnapshotKeep, n.cfg.SnapshotBytes/2)
	n.log.Info("took snapshot", "index", s.Index, "bytes", len(data))
	return nil
}

// noteRole logs each change of role, term or leader as one line. "became leader" is the line
// that the harness reads as this node's claim to its term.
func (n *node) noteRole() {
	s := n.raft.Status()
	if s.Vote != core.None && s.Vote != s.ID && (s.Vote != n.vote || s.Term != n.term) {
		n.log.Info("voted", "term", s.Term, "for", s.Vote.String())
	}
	n.vote = s.Vote
	if s.Role == n.role && s.Term == n.term && s.Leader == n.leader {
		return
	}
	if n.role == core.Leader && s.Role != core.Leader {
		n.requests.leadershipLost(n.term)
	}
	n.role, n.term, n.leader = s.Role, s.Term, s.Leader
	attrs := []any{"term", s.Term, "last_index", s.LastIndex}
	if s.Leader != core.None {
		attrs = append(attrs, "leader", s.Leader.String())
	}
	n.log.Info("became "+s.Role.String(), attrs...)
}

// cached is a value that was read, and when, for a planted bug.
type cached struct {
	value *string
	at    time.Time
}

const cacheLife = 50 * time.Millisecond

// get returns the value of a key in this node's state.
func (n *node) get(key string) *string {
	value := n.store.get(key)
	if n.cfg.Bugs[DirtyRead] {
		for i := n.store.Applied + 1; i <= n.raft.Status().LastIndex; i++ {
			var c command
			if e, ok := n.raft.Entry(i); ok && json.Unmarshal(e.Data, &c) == nil && c.Key == key && c.Op == opPut {
				value = &c.Value
			}
		}
	}
	if n.cfg.Bugs[ReadCache] {
		if n.cache == nil {
			n.cache = map[string]cached{}
		}
		n.cache[key] = cached{value, time.Now()}
	}
	return value
}
