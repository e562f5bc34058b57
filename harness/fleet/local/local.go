// Package local runs nodes as child processes of the controller, on loopback, with a proxy for every link.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/process"
)

// Fleet runs nodes as child processes of the controller on loopback. Every directed link between
// two nodes goes through a proxy of its own in the controller, so it works for targets that take
// an address per peer. It needs no root, no Docker and no kernel module.
type Fleet struct {
	dir     string
	program string // that runs: nodes of sunder itself are processes of it
	latency time.Duration

	mu      sync.Mutex
	plan    map[string]map[string]string // node -> port -> address it listens on
	order   []string
	beside  []string
	peer    string // the port that nodes talk to each other on
	links   *links
	proxies []*proxy
	nodes   []*process.Node
	thread  process.Thread
	planned bool
	closed  bool
}

// New returns a fleet whose nodes keep their data in directories under dir, and whose links
// take the given time one way.
func New(dir string, latency time.Duration) *Fleet {
	program, _ := os.Executable() // where it is not known, targets must say what they run
	return &Fleet{dir: dir, program: program, latency: latency, plan: map[string]map[string]string{}, links: newLinks()}
}

// Can is what local fleets can do.
func Can() []harness.Capability {
	return []harness.Capability{
		harness.NodeKill, harness.NodePause, harness.NodeWipe, harness.NodeRelaunch, harness.LinkCut, harness.LinkDelay,
		harness.LinkRate,
	}
}

// Can implements [harness.Fleet].
func (f *Fleet) Can() []harness.Capability { return Can() }

// clientPort is where clients connect to members; companions are clients, or are called by them at their first port.
const clientPort = "client"

// PlanBeside implements [harness.Beside].
func (f *Fleet) PlanBeside(companions []string) { f.beside = companions }

// port returns the port of a node that another one calls.
func (f *Fleet) port(l harness.Link) string {
	if slices.Contains(f.beside, l.From) && !slices.Contains(f.beside, l.To) {
		return clientPort
	}
	return f.peer
}

// Plan implements [harness.Fleet]. The first port is the one that nodes talk to each other on.
func (f *Fleet) Plan(ctx context.Context, nodes, ports []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ports) == 0 {
		return errors.New("a node without ports cannot be reached")
	}
	f.order, f.peer = nodes, ports[0]
	f.thread, f.planned = process.NewThread(), true // which Close ends
	addrs, err := freeAddrs(ctx, loopback(ctx), len(nodes)*len(ports))
	if err != nil {
		return err
	}
	for i, name := range nodes {
		f.plan[name] = map[string]string{}
		for j, port := range ports {
			f.plan[name][port] = addrs[i*len(ports)+j]
		}
	}
	for _, from := range nodes {
		for _, to := range nodes {
			if from == to || slices.Contains(f.beside, to) && !slices.Contains(f.beside, from) {
				continue // members do not call companions
			}
			link := harness.Link{From: from, To: to}
			p, err := newProxy(ctx, link, f.plan[to][f.port(link)], f.links)
			if err != nil {
				return fmt.Errorf("proxy %s>%s: %w", from, to, err)
			}
			f.links.shape(p.link, harness.Impairment{Delay: f.latency})
			f.proxies = append(f.proxies, p)
		}
	}
	return nil
}

// Nodes listen on ports below those that systems give to outgoing connections. A port from that
// range could be taken by one while its node is down, and dialling it could connect to itself.
const (
	lowestPort  = 15_000
	highestPort = 30_000
)

// freeAddrs returns addresses of a host that nobody listens on. All are held until all are
// chosen, so that no two are the same.
func freeAddrs(ctx context.Context, host string, n int) ([]string, error) {
	var addrs []string
	var listen net.ListenConfig
	for range 100 * n {
		addr := fmt.Sprintf("%s:%d", host, lowestPort+rand.IntN(highestPort-lowestPort))
		l, err := listen.Listen(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		defer l.Close()
		if addrs = append(addrs, addr); len(addrs) == n {
			return addrs, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between %d and %d on %s", n, lowestPort, highestPort, host)
}

// loopback returns a loopback address for one fleet alone, so that runs side by side cannot take a
// port that another's dead node has left. Where only 127.0.0.1 is there, as on macOS, it is that.
func loopback(ctx context.Context) string {
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "127.0.0.1"
	}
	l.Close()
	return host
}

// Placement implements [harness.Fleet]: a node sees its peers at its own proxies to them.
func (f *Fleet) Placement(node string) harness.Placement {
	f.mu.Lock()
	defer f.mu.Unlock()
	place := harness.Placement{Node: node, DataDir: filepath.Join(f.dir, node), Program: f.program}
	for _, name := range f.order {
		member := harness.Member{Name: name, Addr: map[string]string{}}
		for port, addr := range f.plan[name] {
			if port == f.peer || name == node {
				member.Addr[port] = addr
			}
		}
		for _, p := range f.proxies {
			if p.link == (harness.Link{From: node, To: name}) {
				member.Addr[f.port(p.link)] = p.addr()
			}
		}
		place.Members = append(place.Members, member)
	}
	return place
}

// Launch implements [harness.Fleet].
func (f *Fleet) Launch(ctx context.Context, s harness.NodeSpec, log io.Writer) (harness.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errors.New("the fleet is closed")
	}
	if err := os.MkdirAll(s.DataDir, 0o755); err != nil {
		return nil, err
	}
	if s.Self {
		s.Command = append([]string{f.program}, s.Command...)
	}
	p := process.New(s, f.plan[s.Name], log, f.thread)
	f.nodes = append(f.nodes, p)
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Shape implements [harness.Shaper].
func (f *Fleet) Shape(_ context.Context, links map[harness.Link]harness.Impairment) error {
	for l, i := range links {
		if err := harness.Fit("link "+l.String(), i.Needs(), "the local fleet", Can()); err != nil {
			return err
		}
	}
	for l, i := range links {
		if !f.links.shape(l, i.And(harness.Impairment{Delay: f.latency})) || i.Drop {
			continue
		}
		for _, p := range f.proxies {
			p.mend(l)
		}
	}
	return nil
}

// patience is how long nodes are given to send something over a link before it is probed: they could talk without
// our proxies, and then lose nothing.
const patience = 500 * time.Millisecond

// Patience implements [harness.Prober].
func (f *Fleet) Patience() time.Duration { return patience }

// Probe implements [harness.Prober].
func (f *Fleet) Probe(ctx context.Context, links []harness.Link) error {
	return f.each(links, func(p *proxy, l harness.Link) error { return p.probe(ctx, l, nil) })
}

// Delays implements [harness.Timer].
func (f *Fleet) Delays(ctx context.Context, links []harness.Link) (map[harness.Link]time.Duration, error) {
	var mu sync.Mutex
	took := make(map[harness.Link]time.Duration, len(links))
	err := f.each(links, func(p *proxy, l harness.Link) error {
		return p.probe(ctx, l, func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			took[l] = d
		})
	})
	return took, err
}

// each does something with the proxies of links, side by side. What a member sends to a companion are answers: they
// come back through the companion's proxy to it.
func (f *Fleet) each(links []harness.Link, do func(*proxy, harness.Link) error) error {
	var group errgroup.Group
	for _, p := range f.proxies {
		for _, l := range p.link.Both() {
			if slices.Contains(links, l) && (l == p.link || f.port(p.link) == clientPort) {
				group.Go(func() error { return do(p, l) })
			}
		}
	}
	return group.Wait()
}

// Traffic implements [harness.Shaper].
func (f *Fleet) Traffic(_ context.Context, links []harness.Link) (map[harness.Link]harness.Traffic, error) {
	return f.links.traffic(links), nil
}

// Close implements [harness.Fleet]. The data directories stay: they belong to the run.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for _, p := range f.nodes {
		errs = append(errs, p.Kill(context.Background()))
	}
	for _, p := range f.proxies {
		p.close()
	}
	if f.planned {
		f.thread.Close()
	}
	return errors.Join(errs...)
}
