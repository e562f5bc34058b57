package netns

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// arrivals are the numbered datagrams that came over a link, by number.
type arrivals struct {
	mu    sync.Mutex
	order []uint32
	times []time.Time
}

func (a *arrivals) read(conn *net.UDPConn) {
	buffer := make([]byte, 2048)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if n >= 4 {
			a.mu.Lock()
			a.order = append(a.order, binary.BigEndian.Uint32(buffer))
			a.times = append(a.times, time.Now())
			a.mu.Unlock()
		}
	}
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.order)
}

// over sends numbered datagrams of a size over a link, some at a time, and returns what arrived once nothing more does.
func over(t *testing.T, f *Fleet, l harness.Link, count, size int, apart time.Duration) *arrivals {
	t.Helper()
	const port = 9099
	var from, to *net.UDPConn
	listen := func(name string, conn **net.UDPConn) {
		p := f.places[name]
		require.NoError(t, p.thread.Do(func() (err error) {
			*conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, port)))
			return err
		}))
	}
	listen(l.From, &from)
	defer from.Close()
	listen(l.To, &to)
	defer to.Close()
	require.NoError(t, to.SetReadBuffer(4<<20))
	a := &arrivals{}
	var reading sync.WaitGroup
	reading.Go(func() { a.read(to) })
	tick := time.NewTicker(apart)
	defer tick.Stop()
	for i := range count {
		packet := binary.BigEndian.AppendUint32(nil, uint32(i))
		_, err := from.WriteToUDPAddrPort(append(packet, make([]byte, size-4)...), netip.AddrPortFrom(f.places[l.To].addr, port))
		require.NoError(t, err)
		<-tick.C
	}
	for seen := -1; seen != a.count(); <-time.After(300 * time.Millisecond) {
		seen = a.count()
	}
	to.Close()
	reading.Wait()
	return a
}

// What is asked for is what comes over a link: measured from inside, by datagrams.
func TestPacketFaultsAreMeasured(t *testing.T) {
	f := New(t.TempDir(), "")
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Plan(t.Context(), harness.NodeNames(2), []string{"peer"}))
	l := harness.Link{From: "n1", To: "n2"}
	const sent = 1000
	with := func(i harness.Impairment, size int, apart time.Duration) (*arrivals, harness.Traffic) {
		before, err := f.Traffic(t.Context(), []harness.Link{l})
		require.NoError(t, err)
		require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: i}))
		a := over(t, f, l, sent, size, apart)
		require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {}}))
		after, err := f.Traffic(t.Context(), []harness.Link{l})
		require.NoError(t, err)
		return a, harness.Traffic{
			Queued: after[l].Queued - before[l].Queued, Overtaken: after[l].Overtaken - before[l].Overtaken,
			Duplicated: after[l].Duplicated - before[l].Duplicated, Corrupted: after[l].Corrupted - before[l].Corrupted,
		}
	}
	const often = 200 * time.Microsecond

	a, did := with(harness.Impairment{}, 100, often)
	require.Len(t, a.order, sent)
	require.Zero(t, did)

	a, did = with(harness.Impairment{Duplicate: 0.3}, 100, often)
	require.InDelta(t, 1.3*sent, len(a.order), 0.05*sent)
	require.EqualValues(t, len(a.order)-sent, did.Duplicated)

	a, did = with(harness.Impairment{Corrupt: 0.3}, 100, often)
	require.InDelta(t, 0.7*sent, len(a.order), 0.05*sent, "their checksums are wrong")
	require.EqualValues(t, sent-len(a.order), did.Corrupted)

	a, did = with(harness.Impairment{Reorder: 0.1}, 100, often)
	require.Len(t, a.order, sent)
	newest, overtaken := uint32(0), 0
	for _, n := range a.order {
		if n < newest {
			overtaken++
		}
		newest = max(newest, n)
	}
	require.InDelta(t, 0.1*sent, overtaken, 0.05*sent)
	require.EqualValues(t, overtaken, did.Overtaken)

	const rate = 500_000
	a, did = with(harness.Impairment{Rate: rate}, 972, often) // 1000 bytes with its headers
	require.Len(t, a.order, sent)
	took := a.times[sent-1].Sub(a.times[0]).Seconds()
	require.InDelta(t, rate, 1000*(sent-1)/took, 0.1*rate)
	require.Greater(t, did.Queued, uint64(sent/2))
}
