package packets

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// line decides when the packets of one link go on, and what becomes of them. It is told what time it is. What is
// drawn is drawn in the same order in every run.
type line struct {
	state   harness.Impairment
	chance  *rand.Rand
	held    packetHeap
	arrived uint64
	newest  uint64          // of the packets that went on, by order
	free    time.Time       // when a narrow link is through with what it was sent so far
	last    time.Time       // when the last packet goes on, but for those that are held back
	did     harness.Traffic // what became of packets
}

// packet is one that is held.
type packet struct {
	due   time.Time
	order uint64
	id    uint32
	whole []byte // from the IP header on, if the line must see it
	// What happens to it when it goes on.
	corrupt, twice bool
}

func newLine(number uint16) *line { return &line{chance: rand.New(rand.NewPCG(0, uint64(number)))} }

// mostHeld is how many packets a line holds; those that come then are lost.
const mostHeld = 100_000

// become sets how bad the line is from now on. Packets that are held longer than that takes go on at once.
func (l *line) become(i harness.Impairment, now time.Time) {
	sooner := l.state.Delay + l.state.Jitter - i.Delay - i.Jitter
	if l.state = i; i.Rate > 0 { // what is queued stays so, and is late by no more than is due now
		for n := range l.held {
			l.held[n].due = l.held[n].due.Add(-max(sooner, 0))
		}
		l.last = l.last.Add(-max(sooner, 0))
		return
	}
	l.free = time.Time{}
	latest := now.Add(i.Delay + i.Jitter)
	for n := range l.held {
		if p := &l.held[n]; p.due.After(latest) {
			p.due = latest
		}
	}
	heap.Init(&l.held)
	if l.last.After(latest) {
		l.last = latest
	}
}

// arrive takes a packet of a size in bytes in, and reports whether it is held: otherwise it is lost.
func (l *line) arrive(now time.Time, id uint32, size int, whole []byte) (held bool) {
	due := now
	if l.state.Rate > 0 {
		through := now
		if l.free.After(now) {
			through = l.free
			l.did.Queued++
		}
		through = through.Add(time.Duration(float64(size) / float64(l.state.Rate) * float64(time.Second)))
		if through.Sub(now) > harness.MostQueued {
			l.did.Dropped += uint64(size)
			return false
		}
		l.free, due = through, through
	}
	if len(l.held) >= mostHeld {
		l.did.Dropped += uint64(size)
		return false
	}
	due = due.Add(l.state.Delay)
	if l.state.Jitter > 0 {
		due = due.Add(time.Duration(l.chance.Float64() * float64(l.state.Jitter)))
	}
	if due.Before(l.last) {
		due = l.last
	}
	if l.hits(l.state.Reorder) {
		due = due.Add(harness.HeldBack)
	} else {
		l.last = due
	}
	l.arrived++
	p := packet{due: due, order: l.arrived, id: id}
	if whole != nil {
		p.whole, p.corrupt, p.twice = whole, l.hits(l.state.Corrupt), l.hits(l.state.Duplicate)
	}
	heap.Push(&l.held, p)
	return true
}

func (l *line) hits(share float64) bool { return share > 0 && l.chance.Float64() < share }

// due takes out the packets that go on by now, in their order, and says how long it is until the next.
func (l *line) due(now time.Time) (packets []packet, next time.Duration) {
	for len(l.held) > 0 && !l.held[0].due.After(now) {
		p := heap.Pop(&l.held).(packet)
		if p.order < l.newest {
			l.did.Overtaken++
		}
		l.newest = max(l.newest, p.order)
		packets = append(packets, p)
	}
	if len(l.held) > 0 {
		return packets, l.held[0].due.Sub(now)
	}
	return packets, time.Hour
}

// flip flips a bit of what a packet carries behind its IP header, and reports whether there is any.
func (l *line) flip(whole []byte) bool {
	if len(whole) == 0 {
		return false
	}
	header := int(whole[0]&0xf) * 4
	if header >= len(whole) {
		return false
	}
	whole[header+l.chance.IntN(len(whole)-header)] ^= 1 << l.chance.IntN(8)
	return true
}

// packetHeap has the packet that goes on first at its head.
type packetHeap []packet

// Len implements [heap.Interface].
func (h packetHeap) Len() int { return len(h) }

// Less implements [heap.Interface]: packets that are due at once go on as they came.
func (h packetHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].order < h[j].order
}

// Swap implements [heap.Interface].
func (h packetHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *packetHeap) Push(p any) { *h = append(*h, p.(packet)) }

// Pop implements [heap.Interface].
func (h *packetHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	*h = old[:len(old)-1]
	return p
}
