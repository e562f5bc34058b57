package sim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// chain holds, for each index of a node's log, a hash of the entry and all before it: two logs
// with the same hash at an index are identical up to it.
type chain struct {
	base uint64
	sums []uint64 // sums[i] is at index base+i
}

func newChain(s core.Stored) chain {
	c := chain{base: s.Snapshot.Index, sums: []uint64{snapshotSum(s.Snapshot)}}
	for _, e := range s.Entries {
		c.extend(e)
	}
	return c
}

// snapshotSum reads the hash at the snapshot's index: it is all of the state there is.
func snapshotSum(s core.Snapshot) uint64 {
	if s.Index == 0 {
		return 0
	}
	return binary.BigEndian.Uint64(s.Data)
}

func (c *chain) last() uint64 { return c.base + uint64(len(c.sums)) - 1 }

func (c *chain) at(i uint64) (uint64, bool) {
	if i < c.base || i > c.last() {
		return 0, false
	}
	return c.sums[i-c.base], true
}

func (c *chain) extend(e core.Entry) uint64 {
	sum := entrySum(c.sums[len(c.sums)-1], e)
	c.sums = append(c.sums, sum)
	return sum
}

// entrySum is the hash of an entry and, by their hash, all entries before it.
func entrySum(before uint64, e core.Entry) uint64 {
	h := fnv.New64a()
	var head [24]byte
	binary.BigEndian.PutUint64(head[0:], before)
	binary.BigEndian.PutUint64(head[8:], e.Index)
	binary.BigEndian.PutUint64(head[16:], e.Term)
	h.Write(head[:])
	h.Write(e.Data)
	if e.Members != nil {
		fmt.Fprint(h, *e.Members)
	}
	return h.Sum64()
}

// checkApplied asserts State Machine Safety on what a node has really applied: it is what was
// committed at that index.
func (n *node) checkApplied() {
	w := n.world
	if n.applied > w.ledger.committed() {
		w.fail("State Machine Safety", "%v applies index %d, which nobody committed", n.id, n.applied)
	} else if w.ledger.commits[n.applied-1].sum != n.sum {
		w.fail(
			"State Machine Safety",
			"%v is in another state after index %d than what was committed leads to",
			n.id,
			n.applied,
		)
	}
}

// ledger remembers, outside of all nodes, what once held and must hold for good.
type ledger struct {
	leaders map[uint64]core.ID         // of each term
	entries map[[2]uint64]uint64       // chain hash of each (index, term) ever stored
	commits []struct{ sum, by uint64 } // commits[i] is index i+1: its hash, and the term that committed it
}

func newLedger() ledger {
	return ledger{leaders: map[uint64]core.ID{}, entries: map[[2]uint64]uint64{}}
}

// committed returns the highest index that any node ever knew to be committed.
func (l *ledger) committed() uint64 { return uint64(len(l.commits)) }

// checkLeader asserts Election Safety and Leader Completeness.
func (n *node) checkLeader() {
	w, s := n.world, n.raft.Status()
	if !s.Leads {
		n.wasLeader = false
		return
	}
	if first, known := w.ledger.leaders[s.Term]; known && first != n.id {
		w.fail("Election Safety", "term %d has two leaders, %v and %v", s.Term, first, n.id)
	}
	w.ledger.leaders[s.Term] = n.id
	if n.wasLeader && n.wasTerm == s.Term {
		return
	}
	w.note("%v leads term %d", n.id, s.Term)
	n.wasLeader, n.wasTerm = true, s.Term
	if w.weather.change > 0 && w.chance(0.3) {
		w.change(n, drawIntent(w.rand, w.nodes))
	}
	for i := w.ledger.committed(); i > 0; i-- {
		if w.ledger.commits[i-1].by < s.Term {
			n.mustHold(i)
			return
		}
	}
}

// mustHold asserts that this leader's log has the committed entry at index i, and all before it.
func (n *node) mustHold(i uint64) {
	commit := n.world.ledger.commits[i-1]
	if sum, ok := n.chain.at(i); (ok && sum != commit.sum) || (!ok && i > n.chain.base) {
		n.world.fail("Leader Completeness", "index %d was committed in term %d, and %v, leader of term %d, does not have it",
			i, commit.by, n.id, n.raft.Status().Term)
	}
}

// checkLog asserts Leader Append-Only and Log Matching on what is new.
func (n *node) checkLog(rd *Ready) {
	w := n.world
	if rd.Snapshot != nil {
		n.chain = newChain(core.Stored{Snapshot: *rd.Snapshot})
	}
	if len(rd.Entries) > 0 {
		first := rd.Entries[0].Index
		if n.wasLeader && first <= n.chain.last() {
			w.fail("Leader Append-Only", "%v, leader of term %d, overwrites its entry at %d", n.id, n.wasTerm, first)
		}
		n.chain.sums = n.chain.sums[:first-n.chain.base]
		for _, e := range rd.Entries {
			sum := n.chain.extend(e)
			if known, ok := w.ledger.entries[[2]uint64{e.Index, e.Term}]; ok && known != sum {
				w.fail(
					"Log Matching",
					"%v stores an entry of index %d and term %d; another log with this entry has other entries before it",
					n.id,
					e.Index,
					e.Term,
				)
			}
			w.ledger.entries[[2]uint64{e.Index, e.Term}] = sum
		}
	}
}

// checkCommits asserts State Machine Safety, and Leader Completeness where a leader is there
// already. It is called once what the node did is stored: before, nothing was promised.
func (n *node) checkCommits() {
	w, status := n.world, n.raft.Status()
	for i := n.chain.base; i <= status.Committed; i++ {
		sum, ok := n.chain.at(i)
		if !ok || i == 0 {
			continue
		}
		if i <= w.ledger.committed() {
			if w.ledger.commits[i-1].sum != sum {
				w.fail(
					"State Machine Safety",
					"%v commits another entry at index %d than was committed in term %d",
					n.id,
					i,
					w.ledger.commits[i-1].by,
				)
			}
			continue
		}
		w.ledger.commits = append(w.ledger.commits, struct{ sum, by uint64 }{sum, status.Term})
		for _, other := range w.nodes {
			if other.raft != nil && other.raft.Status().Leads && other.raft.Status().Term > status.Term {
				other.mustHold(i)
			}
		}
	}
}
