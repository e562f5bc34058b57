package packets

import (
	"container/heap"
	"encoding/binary"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What the kernel says of a packet is read; what it does not say, or somebody else, is nothing.
func TestParsePacket(t *testing.T) {
	header := netlink.Attribute{Type: packetHeader, Data: binary.BigEndian.AppendUint32(nil, 77)}
	m, err := message(messagePacket, 3, 0, netlink.Attribute{Type: 9, Data: []byte{1}}, header)
	require.NoError(t, err)
	id, ok := parsePacket(m)
	require.True(t, ok)
	require.EqualValues(t, 77, id)
	verdict, err := message(messageVerdict, 3, 0, header)
	require.NoError(t, err)
	_, ok = parsePacket(verdict)
	require.False(t, ok)
	rapid.Check(t, func(t *rapid.T) {
		m.Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		parsePacket(m) // whatever comes of it
	})
}

// Packets go on by the time that they are due, and of those that are due at once the first to come is the first.
func TestPacketsGoOnInOrder(t *testing.T) {
	now := time.Now()
	var h packetHeap
	for i, late := range []time.Duration{30, 10, 10, 20, 10} {
		heap.Push(&h, packet{due: now.Add(late), order: uint64(i), id: uint32(i)})
	}
	var ids []uint32
	for len(h) > 0 {
		ids = append(ids, heap.Pop(&h).(packet).id)
	}
	require.Equal(t, []uint32{1, 2, 4, 3, 0}, ids)
}

// What is late no more goes on at once; what is to be later still keeps its time.
func TestLateNoMore(t *testing.T) {
	due := time.Now().Add(time.Hour)
	q := &queue{delay: time.Hour, wake: make(chan struct{}, 1), held: packetHeap{{due: due, id: 1}, {due: due, id: 2}}}
	q.late(2 * time.Hour)
	require.Empty(t, q.wake)
	require.True(t, q.held[0].due.Equal(due))
	q.late(0)
	require.Len(t, q.wake, 1)
	for _, p := range q.held {
		require.WithinDuration(t, time.Now(), p.due, time.Minute)
	}
}
