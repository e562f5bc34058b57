package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// node is one node. All of its state belongs to the goroutine that runs it.
type node struct {
	id       uint64
	raft     *raft.RawNode
	disk     *disk
	wire     *wire
	requests chan request
	status   atomic.Pointer[status]

	values  store
	applied uint64
	calls   uint64             // made so far
	changes map[string]request // that wait for their entry, by its ID
	reads   map[string]request // that wait for an index, by the ID of the read
	ready   []read             // that wait until so much is applied
}

// request is what a client wants: a change, or to read a key.
type request struct {
	change *command
	key    string
	local  bool
	done   chan outcome
	since  time.Time
}

type outcome struct {
	result
	dropped bool // nothing was done, and nothing will be
}

type read struct {
	request
	index uint64
}

type status struct {
	Role   string `json:"role"`
	Term   uint64 `json:"term"`
	Leader string `json:"leader"`
}

// start starts a node, and has it run.
func start(id uint64, peers map[uint64]string, dir string) (*node, error) {
	voters := make([]uint64, 0, len(peers))
	for peer := range peers {
		voters = append(voters, peer)
	}
	d, err := open(dir, voters)
	if err != nil {
		return nil, err
	}
	n := &node{
		id: id, disk: d, requests: make(chan request, 64), values: store{},
		changes: map[string]request{}, reads: map[string]request{},
	}
	n.raft, err = raft.NewRawNode(&raft.Config{
		ID: id, Storage: d, ElectionTick: 6, HeartbeatTick: 1, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256,
		PreVote: true, CheckQuorum: true, Logger: &raft.DefaultLogger{Logger: log.Default()}, // it says who becomes leader
	})
	if err != nil {
		return nil, err
	}
	if err := n.restore(); err != nil {
		return nil, err
	}
	if n.wire, err = listen(id, peers); err != nil {
		return nil, err
	}
	n.tell()
	go n.run()
	return n, nil
}

func (n *node) run() {
	tick := time.NewTicker(50 * time.Millisecond)
	for {
		select {
		case <-tick.C:
			n.raft.Tick()
			n.forget()
		case m := <-n.wire.received:
			_ = n.raft.Step(m) // a message that does not fit is one that was lost
		case to := <-n.wire.snapshots:
			// Whether it came is seen by what the follower has afterwards; without this, the leader would wait for ever.
			n.raft.ReportSnapshot(to, raft.SnapshotFinish)
		case r := <-n.requests:
			n.begin(r)
		}
		for n.raft.HasReady() {
			if err := n.process(n.raft.Ready()); err != nil {
				log.Fatal(err) // what could not be stored must not be acknowledged
			}
		}
	}
}

// begin begins a request.
func (n *node) begin(r request) {
	n.calls++
	r.since = time.Now()
	id := fmt.Sprint(n.id, "-", r.since.UnixNano(), "-", n.calls) // is no other call's, in another life of the node either
	switch {
	case r.local:
		r.done <- outcome{result: n.values.get(r.key)}
	case r.change == nil:
		n.reads[id] = r
		n.raft.ReadIndex([]byte(id))
	default:
		r.change.ID = id
		data, err := json.Marshal(r.change)
		if err == nil {
			err = n.raft.Propose(data) // a follower sends it to the leader
		}
		if errors.Is(err, raft.ErrProposalDropped) {
			r.done <- outcome{dropped: true}
			return
		}
		n.changes[id] = r
	}
}

// process does what Raft asks for, in the order that it demands: store, send, apply.
func (n *node) process(rd raft.Ready) error {
	if err := n.disk.save(record{rd.HardState, rd.Entries, rd.Snapshot}, rd.MustSync); err != nil {
		return err
	}
	n.wire.send(rd.Messages)
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := n.restore(); err != nil {
			return err
		}
	}
	for _, e := range rd.CommittedEntries {
		if err := n.apply(e); err != nil {
			return err
		}
	}
	for _, s := range rd.ReadStates {
		if r, ok := n.reads[string(s.RequestCtx)]; ok {
			delete(n.reads, string(s.RequestCtx))
			n.ready = append(n.ready, read{r, s.Index})
		}
	}
	n.answerReads()
	n.raft.Advance(rd)
	n.tell()
	return n.disk.compact(n.applied, n.values)
}

// restore takes the state of the snapshot that is stored.
func (n *node) restore() error {
	s, err := n.disk.Snapshot()
	if err != nil {
		return err
	}
	n.values, n.applied = store{}, s.Metadata.Index
	if len(s.Data) == 0 {
		return nil // that of the beginning
	}
	return json.Unmarshal(s.Data, &n.values)
}

func (n *node) apply(e raftpb.Entry) error {
	n.applied = e.Index
	if len(e.Data) == 0 {
		return nil // a new leader's own
	}
	var c command
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return fmt.Errorf("entry %d: %w", e.Index, err)
	}
	out := n.values.apply(c)
	if r, ok := n.changes[c.ID]; ok {
		delete(n.changes, c.ID)
		r.done <- outcome{result: out}
	}
	return nil
}

// answerReads answers the reads that see all that was committed when they were asked.
func (n *node) answerReads() {
	waiting := n.ready[:0]
	for _, r := range n.ready {
		if r.index > n.applied {
			waiting = append(waiting, r)
			continue
		}
		r.done <- outcome{result: n.values.get(r.key)}
	}
	n.ready = waiting
}

// forget gives up what nobody waits for any more.
func (n *node) forget() {
	for _, all := range []map[string]request{n.changes, n.reads} {
		for id, r := range all {
			if time.Since(r.since) > requestTimeout {
				delete(all, id)
			}
		}
	}
}

// tell publishes how the node fares.
func (n *node) tell() {
	s := n.raft.BasicStatus()
	out := &status{Role: "follower", Term: s.Term}
	if s.Lead != raft.None {
		out.Leader = fmt.Sprintf("n%d", s.Lead)
	}
	if s.RaftState == raft.StateLeader {
		out.Role = "leader"
	}
	n.status.Store(out)
}
