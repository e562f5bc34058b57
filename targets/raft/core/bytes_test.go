package core

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// Messages are bounded by what they weigh, and so is all that is under way to a follower; but one entry goes whatever
// it weighs.
func TestMessagesAreBoundedByBytes(t *testing.T) {
	c := newCluster(3, plain, func(c *Config) { c.MaxBytes, c.MaxEntries = 1000, 100 })
	c.campaign(1)
	leader := c.nodes[1]
	c.isolate(1)
	for i := range 200 {
		size := 300
		if i%50 == 7 {
			size = 5000
		}
		leader.Propose(bytes.Repeat([]byte{'x'}, size))
	}
	c.settle(1)
	weights := map[ID]int{}
	for _, m := range c.mail {
		if m.Type == Append {
			weights[m.To] += weight(m.Entries)
			require.True(t, weight(m.Entries) <= 1000 || len(m.Entries) == 1)
		}
	}
	for _, id := range []ID{2, 3} {
		require.Greater(t, weights[id], 1000*maxInflightBytes/2)
		require.LessOrEqual(t, weights[id], 1000*maxInflightBytes+5000)
	}
	c.heal()
	for range 100 {
		c.deliver(everything)
		c.tick(1, 2)
	}
	for _, id := range []ID{2, 3} {
		require.Equal(t, leader.Status().LastIndex, c.nodes[id].Status().Committed)
		require.Equal(t, leader.LogBytes(), c.nodes[id].LogBytes())
	}
}

// What is kept behind a snapshot is bounded too.
func TestCompactionIsBoundedByBytes(t *testing.T) {
	l := raftLog{configs: []config{{}}}
	for i := range 10 {
		l.add(Entry{Index: uint64(i + 1), Term: 1, Data: make([]byte, 100)})
	}
	l.compact(Snapshot{Index: 8, Term: 1}, 100, 3*(100+entryOverhead))
	require.Equal(t, uint64(5), l.base)
	require.Equal(t, 5*(100+entryOverhead), l.bytes)
	l.replace([]Entry{{Index: 9, Term: 2, Data: make([]byte, 10)}})
	require.Equal(t, 3*(100+entryOverhead)+10+entryOverhead, l.bytes)
	require.Equal(t, l.bytes, weight(l.entries))
}

// A heartbeat of a former term that comes late, from the life of a leader before it was started again, confirms no
// read: its round is of another count. The simulation found this.
func TestThesis6_4_OldRoundsConfirmNoReads(t *testing.T) {
	c := newCluster(3, plain)
	c.campaign(1)
	old := Message{Type: Heartbeat, From: 1, Term: c.nodes[1].Term, Read: 50}
	c.start(1)
	c.campaign(1)
	c.isolate(1) // its own heartbeats reach nobody any more
	c.read(1, 7)
	c.deliver(everything)
	for _, id := range []ID{2, 3} {
		old.To = id
		c.nodes[id].Step(old)
		c.settle(id)
		c.cut[[2]ID{id, 1}] = false
	}
	c.deliver(everything)
	require.Empty(t, c.nodes[1].reads)
	c.heal()
	c.tick(1, 4)
	c.deliver(everything)
	require.Len(t, c.nodes[1].reads, 1, "and today's do")
}
