package packets

import (
	"container/heap"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

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

// through sends packets of 1,000 bytes over a line, one every millisecond, and returns in which order they go on, and
// how late each is.
func through(t *testing.T, l *line, packets int) (order []uint32, late []time.Duration) {
	t.Helper()
	began := time.Now()
	late = make([]time.Duration, packets)
	for ms := 0; ms < packets || len(l.held) > 0; ms++ {
		require.Less(t, ms, 100_000)
		now := began.Add(time.Duration(ms) * time.Millisecond)
		if ms < packets {
			l.arrive(now, uint32(ms), 1000, make([]byte, 100))
		}
		due, _ := l.due(now)
		for _, p := range due {
			order = append(order, p.id)
			late[p.id] = time.Duration(ms-int(p.id)) * time.Millisecond
		}
	}
	return order, late
}

func TestALineThatIsLate(t *testing.T) {
	l := newLine(1)
	l.become(harness.Impairment{Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}, time.Now())
	order, late := through(t, l, 1000)
	require.True(t, slices.IsSorted(order), "jitter keeps the order")
	require.Len(t, order, 1000)
	require.GreaterOrEqual(t, slices.Min(late), 20*time.Millisecond)
	require.LessOrEqual(t, slices.Max(late), 71*time.Millisecond)
	require.Greater(t, slices.Max(late)-slices.Min(late), 20*time.Millisecond)
	require.Zero(t, l.did.Overtaken)
}

func TestALineThatReorders(t *testing.T) {
	l := newLine(1)
	l.become(harness.Impairment{Reorder: 0.1}, time.Now())
	order, late := through(t, l, 1000)
	require.Len(t, order, 1000)
	held := 0
	for _, d := range late {
		if d >= harness.HeldBack {
			held++
		}
	}
	require.InDelta(t, 100, held, 40)
	require.InDelta(t, held, l.did.Overtaken, 1, "the last has none behind it")
}

// A narrow line carries as much as it is to, and loses what would wait for too long.
func TestANarrowLine(t *testing.T) {
	l := newLine(1)
	l.become(harness.Impairment{Rate: 500_000}, time.Now()) // half of what is sent
	order, late := through(t, l, 1000)
	require.Len(t, order, 1000)
	require.True(t, slices.IsSorted(order))
	require.InDelta(t, time.Second, slices.Max(late), float64(20*time.Millisecond))
	require.Greater(t, l.did.Queued, uint64(990))

	l = newLine(1)
	l.become(harness.Impairment{Rate: 100_000}, time.Now())
	order, late = through(t, l, 10_000)
	require.LessOrEqual(t, slices.Max(late), harness.MostQueued+20*time.Millisecond)
	require.InDelta(t, 1200, len(order), 10)
	require.EqualValues(t, 1000*(10_000-len(order)), l.did.Dropped)
}

func TestPacketsThatAreChanged(t *testing.T) {
	l := newLine(1)
	l.become(harness.Impairment{Corrupt: 0.25, Duplicate: 0.5}, time.Now())
	corrupt, twice, now := 0, 0, time.Now()
	for i := range 1000 {
		require.True(t, l.arrive(now, uint32(i), 100, make([]byte, 100)))
	}
	due, next := l.due(now)
	require.Equal(t, time.Hour, next)
	for _, p := range due {
		if p.corrupt {
			corrupt++
		}
		if p.twice {
			twice++
		}
	}
	require.InDelta(t, 250, corrupt, 60)
	require.InDelta(t, 500, twice, 60)

	right := append([]byte{0x45}, make([]byte, 40)...)
	wrong := slices.Clone(right)
	require.True(t, l.flip(wrong))
	require.Equal(t, right[:20], wrong[:20], "the IP header is as it was")
	require.NotEqual(t, right, wrong)
	require.False(t, l.flip(right[:20]), "it carries nothing")
	require.False(t, l.flip(nil))
}

// What is to be bad no more goes on at once; what is to be later still keeps its time.
func TestALineThatIsHealed(t *testing.T) {
	now := time.Now()
	l := newLine(1)
	l.become(harness.Impairment{Delay: time.Hour}, now)
	for id := range uint32(2) {
		require.True(t, l.arrive(now, id, 100, nil))
	}
	l.become(harness.Impairment{Delay: 2 * time.Hour}, now)
	due, next := l.due(now)
	require.Empty(t, due)
	require.Equal(t, time.Hour, next)
	l.become(harness.Impairment{}, now)
	due, _ = l.due(now)
	require.Len(t, due, 2)
	require.EqualValues(t, 0, due[0].id)
	l.become(harness.Impairment{Rate: 1000}, now)
	for id := range uint32(2) {
		require.True(t, l.arrive(now, id, 1000, nil))
	}
	l.become(harness.Impairment{}, now)
	require.True(t, l.arrive(now, 3, 100, nil))
	due, _ = l.due(now)
	require.Len(t, due, 3)
	require.EqualValues(t, 3, due[2].id, "it does not overtake those that were queued")
}
