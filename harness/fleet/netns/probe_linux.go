package netns

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// probePort is where each place gets probes.
const probePort = 7077

// probes are what is sent over links to see whether it arrives, and when.
type probes struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]func(arrived time.Time) // by number
}

// listen opens the socket that a place sends probes from, and gets those of others at, and reads it until it is closed.
func (s *probes) listen(p *place) (err error) {
	err = p.thread.Do(func() error {
		p.probe, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, probePort)))
		return err
	})
	if err != nil {
		return err
	}
	go func() {
		var number [8]byte
		for {
			n, _, err := p.probe.ReadFromUDPAddrPort(number[:])
			if err != nil {
				return
			}
			if n == len(number) {
				s.arrived(binary.BigEndian.Uint64(number[:]), time.Now())
			}
		}
	}()
	return nil
}

func (s *probes) arrived(number uint64, at time.Time) {
	s.mu.Lock()
	tell := s.waiting[number]
	delete(s.waiting, number)
	s.mu.Unlock()
	if tell != nil {
		tell(at)
	}
}

// copies are sent of each probe, as a link may lose some. The first to arrive counts.
const copies = 4

// send sends a probe, and tells when it arrives, if anybody wants to know. That one could not be sent shows in its not
// arriving.
func (s *probes) send(from, to *place, tell func(arrived time.Time)) (number uint64) {
	s.mu.Lock()
	s.last++
	number = s.last
	if tell != nil {
		s.waiting[number] = tell
	}
	s.mu.Unlock()
	packet := binary.BigEndian.AppendUint64(nil, number)
	for range copies {
		_, _ = from.probe.WriteToUDPAddrPort(packet, netip.AddrPortFrom(to.addr, probePort))
	}
	return number
}

// forget forgets probes that are waited for no more.
func (s *probes) forget(numbers []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range numbers {
		delete(s.waiting, n)
	}
}

// Patience implements [harness.Prober]: there is no way around the rules.
func (f *Fleet) Patience() time.Duration { return 0 }

// Probe implements [harness.Prober]: something is sent from the namespace of the sender, whether its node runs or not.
func (f *Fleet) Probe(_ context.Context, links []harness.Link) error {
	for _, l := range links {
		f.probes.send(f.places[l.From], f.places[l.To], nil)
	}
	return nil
}

// patience is for how long a probe is waited for, beside the time that its link is to take.
const patience = 200 * time.Millisecond

// Delays implements [harness.Timer]. Both ends of a link are in this process, so that one clock tells.
func (f *Fleet) Delays(ctx context.Context, links []harness.Link) (map[harness.Link]time.Duration, error) {
	wait := patience
	f.mu.Lock()
	for _, l := range links {
		wait = max(wait, patience+f.links[l].Delay+f.links[l].Jitter)
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var mu sync.Mutex
	took := make(map[harness.Link]time.Duration, len(links))
	var numbers []uint64
	for _, l := range links {
		sent := time.Now()
		number := f.probes.send(f.places[l.From], f.places[l.To], func(arrived time.Time) {
			mu.Lock()
			defer mu.Unlock()
			if took == nil { // it was on its way when the others were forgotten
				return
			}
			if took[l] = arrived.Sub(sent); len(took) == len(links) {
				cancel()
			}
		})
		numbers = append(numbers, number)
	}
	<-ctx.Done()
	f.probes.forget(numbers)
	mu.Lock()
	defer mu.Unlock()
	seen := took
	took = nil
	return seen, nil
}
