package main

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"io"
	"log"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/sunder-dev/sunder/targets/raft/sim"
)

// server is a raft.RawNode under sunder's simulation: of its disk, its network, and its crashes.
type server struct {
	*raft.RawNode
	disk      *simulated
	pending   *raft.Ready // handed out, and not known to be done
	forgetful bool        // a mistake: term and vote are not stored
}

// simulated is what a server reads of its own log, and who voted at first.
type simulated struct {
	*raft.MemoryStorage
	voters raftpb.ConfState
}

func (d *simulated) InitialState() (raftpb.HardState, raftpb.ConfState, error) {
	hard, _, err := d.MemoryStorage.InitialState()
	return hard, d.voters, err
}

// newServer starts a server from what it has stored.
func newServer(b sim.Boot, forgetful bool) (sim.Server, error) {
	d := &simulated{MemoryStorage: raft.NewMemoryStorage()}
	for _, peer := range b.Peers {
		d.voters.Voters = append(d.voters.Voters, uint64(peer))
	}
	snapshot := b.Stored.Snapshot
	if snapshot.Index > 0 {
		at := raftpb.SnapshotMetadata{Index: snapshot.Index, Term: snapshot.Term, ConfState: d.voters}
		if err := d.ApplySnapshot(raftpb.Snapshot{Data: snapshot.Data, Metadata: at}); err != nil {
			return nil, err
		}
	}
	if hard := b.Stored.HardState; hard.Term > 0 {
		if err := d.SetHardState(raftpb.HardState{Term: hard.Term, Vote: uint64(hard.Vote), Commit: snapshot.Index}); err != nil {
			return nil, err
		}
	}
	var entries []raftpb.Entry
	for _, e := range b.Stored.Entries {
		entries = append(entries, raftpb.Entry{Index: e.Index, Term: e.Term, Data: e.Data})
	}
	if err := d.Append(entries); err != nil {
		return nil, err
	}
	node, err := raft.NewRawNode(&raft.Config{
		ID: uint64(b.ID), Storage: d, Applied: snapshot.Index, ElectionTick: b.ElectionTicks, HeartbeatTick: b.HeartbeatTicks,
		MaxSizePerMsg: 200, MaxInflightMsgs: 8, PreVote: b.PreVote, CheckQuorum: b.CheckQuorum,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	return &server{RawNode: node, disk: d, forgetful: forgetful}, err
}

// settle tells Raft that what it asked for is done.
func (s *server) settle() {
	if s.pending != nil {
		s.Advance(*s.pending)
		s.pending = nil
	}
}

func (s *server) Tick() {
	s.settle()
	s.RawNode.Tick()
}

func (s *server) Step(m sim.Message) {
	s.settle()
	_ = s.RawNode.Step(m.Body.(raftpb.Message)) // what does not fit is lost
}

func (s *server) Propose(data []byte) {
	s.settle()
	if s.BasicStatus().RaftState == raft.StateLeader {
		_ = s.RawNode.Propose(data) // which may be refused
	}
}

func (s *server) Read(id uint64) {
	s.settle()
	s.ReadIndex(binary.BigEndian.AppendUint64(nil, id))
}

func (s *server) Status() sim.Status {
	b := s.BasicStatus()
	return sim.Status{Leads: b.RaftState == raft.StateLeader, Term: b.Term, Committed: b.Commit}
}

func (s *server) Ready() (out sim.Ready) {
	s.settle()
	if !s.HasReady() {
		return out
	}
	rd := s.RawNode.Ready()
	s.pending = &rd
	if !raft.IsEmptyHardState(rd.HardState) {
		if vote := sim.ID(rd.Vote); !s.forgetful {
			out.HardState = &sim.HardState{Term: rd.Term, Vote: vote}
		}
		must(s.disk.SetHardState(rd.HardState))
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		at := rd.Snapshot.Metadata
		out.Snapshot = &sim.Snapshot{Index: at.Index, Term: at.Term, Data: rd.Snapshot.Data}
		must(s.disk.ApplySnapshot(rd.Snapshot))
	}
	out.Entries, out.Committed = entriesOf(rd.Entries), entriesOf(rd.CommittedEntries)
	must(s.disk.Append(rd.Entries))
	for _, m := range rd.Messages {
		out.Messages = append(out.Messages, sim.Message{From: sim.ID(m.From), To: sim.ID(m.To), Body: m})
		if m.Type == raftpb.MsgSnap { // whether it came is seen by what the follower has afterwards
			s.ReportSnapshot(m.To, raft.SnapshotFinish)
		}
	}
	for _, r := range rd.ReadStates {
		out.Reads = append(out.Reads, sim.ReadState{ID: binary.BigEndian.Uint64(r.RequestCtx), Index: r.Index})
	}
	return out
}

// Snapshot implements sim.Compacter.
func (s *server) Snapshot(index uint64, data []byte) (out sim.Snapshot, held bool) {
	s.settle()
	made, err := s.disk.CreateSnapshot(index, &s.disk.voters, data)
	if err != nil {
		return out, false // it has a later one
	}
	return sim.Snapshot{Index: index, Term: made.Metadata.Term, Data: data}, true
}

// Compact implements sim.Compacter.
func (s *server) Compact(snapshot sim.Snapshot, keep uint64, _ int) {
	first, err := s.disk.FirstIndex()
	must(err)
	if snapshot.Index >= first+keep {
		must(s.disk.Compact(snapshot.Index - keep))
	}
}

func entriesOf(all []raftpb.Entry) (out []sim.Entry) {
	for _, e := range all {
		out = append(out, sim.Entry{Index: e.Index, Term: e.Term, Data: e.Data})
	}
	return out
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// simulation is of clusters of such servers. Raft draws its election timeouts from crypto/rand, which is made to begin
// anew for each seed, so that a seed replays.
func simulation(forgetful bool) sim.Options {
	return sim.Options{Nodes: 3, New: func(seed uint64) func(sim.Boot) (sim.Server, error) {
		var key [32]byte
		binary.BigEndian.PutUint64(key[:], seed)
		cryptorand.Reader = rand.NewChaCha8(key)
		return func(b sim.Boot) (sim.Server, error) { return newServer(b, forgetful) }
	}}
}

// keepRandomness puts the randomness of all others back in the end.
func keepRandomness(t *testing.T) {
	before := cryptorand.Reader
	t.Cleanup(func() { cryptorand.Reader = before })
}

// The five properties of Raft hold, whatever the network loses and whenever nodes crash.
func TestThePropertiesHold(t *testing.T) {
	keepRandomness(t)
	if v := sim.Search(t.Context(), 200, simulation(false)); v != nil {
		t.Fatal(v)
	}
}

// A store that does not keep its votes elects two leaders in a term, and that is found.
func TestForgottenVotesAreFound(t *testing.T) {
	keepRandomness(t)
	v := sim.Search(t.Context(), 500, simulation(true))
	require.NotNil(t, v)
	t.Log(v)
	require.Equal(t, *v, *sim.Search(t.Context(), v.Seed, simulation(true)), "a seed replays")
}
