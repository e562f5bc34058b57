package agent

import (
	"encoding/binary"
	"net"
	"sync"
)

// arrivals are the probes that have arrived of late.
type arrivals struct {
	mu    sync.Mutex
	at    map[uint64]int64 // by number; see monotonic
	order []uint64
}

// mostArrivals is how many are remembered: anybody who can reach the node can send some.
const mostArrivals = 4096

// read takes in probes until the connection is closed.
func (a *arrivals) read(probes net.PacketConn) {
	var number [8]byte
	for {
		n, _, err := probes.ReadFrom(number[:])
		if err != nil {
			return
		}
		if n == len(number) {
			a.note(binary.BigEndian.Uint64(number[:]), monotonic())
		}
	}
}

// note remembers an arrival; of several with one number, the first.
func (a *arrivals) note(number uint64, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.at[number]; known {
		return
	}
	if a.at == nil {
		a.at = make(map[uint64]int64)
	}
	a.at[number] = at
	if a.order = append(a.order, number); len(a.order) > mostArrivals {
		delete(a.at, a.order[0])
		a.order = a.order[1:]
	}
}

// of returns when those of some probes arrived that did.
func (a *arrivals) of(numbers []uint64) map[uint64]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := make(map[uint64]int64)
	for _, n := range numbers {
		if at, ok := a.at[n]; ok {
			seen[n] = at
		}
	}
	return seen
}
