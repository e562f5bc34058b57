// Package agent is what runs beside a node in its network namespace: it sets the state of the links
// that lead to the node, counts what they lose, and can send something over those that lead away.
//
// Its API is HTTP with the run's token. Links are those of one receiver, by the address of the
// sender, and always the whole of them, so that a message that is repeated does no harm; messages are
// numbered, so that one that was given up and arrives late does none either.
//
//	PUT  /links    {"number": 3, "links": {"10.7.0.3": {"drop": true}}}      all others are healthy
//	GET  /links    {"10.7.0.3": {"passed": 1, "dropped": 2}, ...}
//	POST /probe    {"10.7.0.3": 17, ...}            send a datagram with a number to each; says when, as /arrived does
//	POST /arrived  [17, ...]                        when those arrived that did, by the kernel's monotonic clock, in ns
//	GET  /lacks    ["link.delay", ...]              what the kernel cannot do to packets
package agent

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Port is where an agent listens: TCP for the API, UDP for other agents' probes.
const Port = 7077

// TokenEnv is the environment variable with the token that every request must carry.
const TokenEnv = "SUNDER_AGENT_TOKEN"

// Firewall is what keeps packets from passing.
type Firewall interface {
	// Set brings all incoming links to their states at once; a link that is not named is healthy.
	Set(links map[netip.Addr]harness.Impairment) error
	// Traffic returns what came over each link and what was lost there, in bytes.
	Traffic() (map[netip.Addr]harness.Traffic, error)
}

// Config says what an agent serves.
type Config struct {
	Listen netip.AddrPort
	// Peers are the addresses of the other nodes of the run. No other address is ever touched.
	Peers []netip.Addr
	Token string
	// Lacks is what the kernel cannot do to packets.
	Lacks []harness.Capability
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if !c.Listen.IsValid() {
		errs = append(errs, errors.New("an agent needs an address to listen on"))
	}
	if c.Token == "" {
		errs = append(errs, fmt.Errorf("an agent needs a token, in %s", TokenEnv))
	}
	for _, p := range c.Peers {
		if !p.Is4() {
			errs = append(errs, fmt.Errorf("peer %s has no IPv4 address", p))
		}
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends.
func Run(ctx context.Context, c Config, fw Firewall) error {
	if err := c.Validate(); err != nil {
		return err
	}
	var listen net.ListenConfig
	probes, err := listen.ListenPacket(
		ctx,
		"udp",
		c.Listen.String(),
	) // so that no probe is answered with "port unreachable"
	if err != nil {
		return err
	}
	defer probes.Close()
	arrivals := &arrivals{}
	go arrivals.read(probes)
	api, err := listen.Listen(ctx, "tcp", c.Listen.String())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(c, fw, probes, arrivals), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(api); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// order is what is told about all links.
type order struct {
	Number uint64                            `json:"number"`
	Links  map[netip.Addr]harness.Impairment `json:"links"`
}

// Shaped is the answer to a new state of the links: the wall clock when it was in force, in
// nanoseconds since 1970.
type Shaped struct {
	InForce int64 `json:"in_force"`
}

func handler(c Config, fw Firewall, probes net.PacketConn, arrivals *arrivals) http.Handler {
	var mu sync.Mutex
	var last uint64 // the number of the last order that was followed
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /links", func(w http.ResponseWriter, r *http.Request) {
		var told order
		if !read(w, r, &told) {
			return
		}
		for from, i := range told.Links {
			if !slices.Contains(c.Peers, from) {
				refuse(w, fmt.Errorf("%s is no peer", from))
				return
			}
			if err := i.Validate(); err != nil {
				refuse(w, fmt.Errorf("from %s: %w", from, err))
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if told.Number <= last {
			refuse(w, fmt.Errorf("order %d comes after order %d", told.Number, last))
			return
		}
		last = told.Number
		if err := fw.Set(told.Links); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, Shaped{InForce: time.Now().UnixNano()})
	})
	mux.HandleFunc("GET /links", func(w http.ResponseWriter, _ *http.Request) {
		traffic, err := fw.Traffic()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, traffic)
	})
	mux.HandleFunc("POST /probe", func(w http.ResponseWriter, r *http.Request) {
		var numbers map[netip.Addr]uint64
		if !read(w, r, &numbers) {
			return
		}
		for to := range numbers {
			if !slices.Contains(c.Peers, to) {
				refuse(w, fmt.Errorf("%s is no peer", to))
				return
			}
		}
		sent := make(map[netip.Addr]int64, len(numbers))
		for to, number := range numbers {
			sent[to] = monotonic()
			for range copies { // that one could not be sent shows in nobody having received it
				_, _ = probes.WriteTo(binary.BigEndian.AppendUint64(nil, number),
					net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, c.Listen.Port())))
			}
		}
		answer(w, sent)
	})
	mux.HandleFunc("POST /arrived", func(w http.ResponseWriter, r *http.Request) {
		var numbers []uint64
		if read(w, r, &numbers) {
			answer(w, arrivals.of(numbers))
		}
	})
	mux.HandleFunc("GET /lacks", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Lacks) })
	return guard(c.Token, mux)
}

// guard lets only those pass who know the token.
func guard(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(said), []byte(token)) != 1 {
			http.Error(w, "this agent needs its token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// copies are sent of each probe, as a link may lose some. The first to arrive counts.
const copies = 4

const maxBody = 64 << 10

func read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		refuse(w, err)
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a reader that is gone needs no answer
}
