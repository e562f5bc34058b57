package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// node is a place in the cluster and the server that stands there: its consensus core, its disk, the chain of its log,
// and what it applied.
type node struct {
	id     core.ID
	world  *world
	vacant bool   // nobody has stood here yet, or who did was removed
	joined bool   // it has been a member, or is one
	raft   Server // nil while crashed
	paused bool
	disk   disk
	boots  uint64

	chain   chain
	applied uint64 // index up to which entries were applied, and the hash that this led to
	sum     uint64
	reads   map[uint64]uint64 // pending reads: the index that they must not miss

	wasLeader bool
	wasTerm   uint64
}

// disk keeps what is synced apart from what is only written.
type disk struct {
	core.Stored
	unsynced []func(*core.Stored)
}

func (d *disk) write(change func(*core.Stored)) { d.unsynced = append(d.unsynced, change) }

func (d *disk) sync() {
	for _, change := range d.unsynced {
		change(&d.Stored)
	}
	d.unsynced = nil
}

// crash keeps a part of what was written since the last sync, as a torn write does.
func (d *disk) crash(r *rand.Rand) {
	d.unsynced = d.unsynced[:r.IntN(len(d.unsynced)+1)]
	d.sync()
}

func (n *node) runs() bool { return n.raft != nil && !n.paused }

func (n *node) start() {
	w := n.world
	n.boots++
	peers := make([]core.ID, w.Nodes)
	for i := range peers {
		peers[i] = core.ID(i + 1)
	}
	stored := n.disk.Stored
	stored.Entries = append([]core.Entry(nil), stored.Entries...)
	raft, err := w.newServer(Boot{
		ID:             n.id,
		Peers:          peers,
		Stored:         stored,
		HeartbeatTicks: 3,
		ElectionTicks:  12,
		MaxEntries:     1 + w.rand.IntN(8),
		MaxBytes:       w.weather.maxBytes,
		PreVote:        w.weather.preVote,
		CheckQuorum:    w.weather.checkQuorum,
		Rand:           rand.New(rand.NewPCG(w.seed, n.boots<<32|uint64(n.id))),
		bugs:           w.Bugs,
		snapshot:       func() Snapshot { return n.disk.Snapshot },
	})
	if err != nil {
		panic(fmt.Sprintf("a server cannot start from what it has stored: %v", err))
	}
	n.raft, n.paused, n.wasLeader = raft, false, false
	n.reads = map[uint64]uint64{}
	n.chain = newChain(stored)
	n.applied, n.sum = stored.Snapshot.Index, snapshotSum(stored.Snapshot)
	w.note("%v starts in term %d, log [%d, %d]", n.id, raft.Status().Term, n.chain.base+1, n.chain.last())
}

func (n *node) crash(when string) {
	if n.raft == nil {
		return
	}
	n.world.note("%v crashes %s", n.id, when)
	n.disk.crash(n.world.rand)
	n.raft = nil
}

// do lets the core act, carries out what it hands out, in order, and checks the properties. A
// node may crash at each point in between.
func (n *node) do(act func()) {
	w := n.world
	act()
	for n.raft != nil {
		n.checkLeader()
		rd := n.raft.Ready()
		if rd.empty() {
			return
		}
		crash := -1
		if w.chance(w.weather.crash / 5) {
			crash = w.rand.IntN(4)
		}
		n.store(&rd)
		n.checkLog(&rd)
		if crash == 0 {
			n.crash("before the sync")
			return
		}
		if !w.SyncLate || w.chance(0.1) {
			n.disk.sync()
		}
		n.checkCommits()
		if crash == 1 {
			n.crash("before sending")
			return
		}
		for i, m := range rd.Messages {
			if crash == 2 && i > len(rd.Messages)/2 {
				n.crash("while sending")
				return
			}
			w.transmit(m)
		}
		n.apply(&rd)
		if crash == 3 {
			n.crash("after applying")
			return
		}
	}
}

func (n *node) store(rd *Ready) {
	if rd.HardState != nil {
		hard := *rd.HardState
		n.disk.write(func(s *core.Stored) { s.HardState = hard })
	}
	if rd.Snapshot != nil {
		snapshot := *rd.Snapshot
		n.disk.write(func(s *core.Stored) { s.Snapshot, s.Entries = snapshot, nil })
	}
	if len(rd.Entries) > 0 {
		entries := append([]core.Entry(nil), rd.Entries...)
		n.disk.write(func(s *core.Stored) {
			keep := 0
			for keep < len(s.Entries) && s.Entries[keep].Index < entries[0].Index {
				keep++
			}
			s.Entries = append(s.Entries[:keep:keep], entries...)
		})
	}
}

func (n *node) apply(rd *Ready) {
	w := n.world
	if rd.Snapshot != nil {
		n.applied, n.sum = rd.Snapshot.Index, snapshotSum(*rd.Snapshot)
		n.checkApplied()
	}
	for _, e := range rd.Committed {
		w.note("%v applies %d (term %d)", n.id, e.Index, e.Term)
		if e.Members != nil {
			w.settle(e.Index, *e.Members)
		}
		if e.Index != n.applied+1 {
			w.fail("State Machine Safety", "%v applies index %d after index %d", n.id, e.Index, n.applied)
		}
		n.applied, n.sum = e.Index, entrySum(n.sum, e)
		n.checkApplied()
	}
	for _, read := range rd.Reads {
		must, known := n.reads[read.ID]
		if known {
			w.served++
		}
		if delete(n.reads, read.ID); known && read.Index < must {
			w.fail(
				"Read Freshness",
				"%v serves a read at index %d; index %d was committed before the read was asked for",
				n.id,
				read.Index,
				must,
			)
		}
	}
	compacter, compacts := n.raft.(Compacter)
	if compacts && n.applied >= n.disk.Snapshot.Index+w.weather.snapshotEvery {
		s, held := compacter.Snapshot(n.applied, binary.BigEndian.AppendUint64(nil, n.sum))
		if !held {
			return // a planted bug truncated what was applied
		}
		n.disk.write(func(d *core.Stored) {
			drop := 0
			for drop < len(d.Entries) && d.Entries[drop].Index <= s.Index {
				drop++
			}
			d.Snapshot, d.Entries = s, d.Entries[drop:]
		})
		n.disk.sync()
		compacter.Compact(s, w.weather.keep, w.weather.keepBytes)
	}
}
