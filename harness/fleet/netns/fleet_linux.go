package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/packets"
	"github.com/sunder-dev/sunder/harness/fleet/process"
	"github.com/sunder-dev/sunder/harness/history"
)

// firstPort is the first of a node's ports; every node has an address of its own.
const firstPort = 7001

// Fleet runs every node as a process in a network namespace of its own, on one bridge. It works only inside: see
// [Enter]. A namespace outlives its node's process, so that a node that is killed and started again has its address,
// its cut links, and their counters.
type Fleet struct {
	dir, program string
	others       map[string]string // programs of other versions
	can          func() []harness.Capability

	mu     sync.Mutex
	order  []string
	ports  []string
	bridge *bridge
	places map[string]*place
	nodes  []*process.Node
	links  map[harness.Link]harness.Impairment // as they are to be
	probes probes
	closed bool
}

// place is where a node runs.
type place struct {
	addr      netip.Addr
	thread    process.Thread // in the namespace
	namespace *os.File
	rules     *packets.Rules
	probe     *net.UDPConn // what is sent over links to see whether it arrives
	setting   sync.Mutex   // held while rules are decided upon and set: they are set in the order of decisions
}

// New returns a fleet of nodes that keep their data in directories below dir. The program is the nodes'; empty if it is
// where the target says.
func New(dir, program string) *Fleet {
	return &Fleet{
		dir: dir, program: program, places: map[string]*place{}, links: map[harness.Link]harness.Impairment{},
		probes: probes{waiting: map[uint64]func(time.Time){}}, can: sync.OnceValue(can),
	}
}

// Stock gives the fleet the programs of other versions.
func (f *Fleet) Stock(programs map[string]string) { f.others = programs }

// ProgramOf implements [harness.Stocked].
func (f *Fleet) ProgramOf(version string) string { return f.others[version] }

// Can implements [harness.Fleet].
func (f *Fleet) Can() []harness.Capability { return f.can() }

// can is what [Can] says, but for what this kernel cannot do.
func can() []harness.Capability {
	thread := process.NewThread()
	defer thread.Close()
	lacks := packets.Can() // what cannot even be tried cannot be done
	_ = thread.Do(func() error {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			lacks = packets.Lacks(packets.Probe())
		}
		return err
	})
	return slices.DeleteFunc(Can(), func(c harness.Capability) bool { return slices.Contains(lacks, c) })
}

// Plan implements [harness.Fleet]: it makes the network.
func (f *Fleet) Plan(_ context.Context, nodes, ports []string) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ports) == 0 {
		return errors.New("a node without ports cannot be reached")
	}
	f.order, f.ports = nodes, ports
	if f.bridge, err = newBridge(); err != nil {
		return err
	}
	for i, name := range nodes {
		p := &place{addr: f.bridge.node(i), thread: process.NewThread()}
		f.places[name] = p // which Close ends
		if p.namespace, err = f.bridge.join(p.thread, p.addr); err != nil {
			return fmt.Errorf("network of %s: %w", name, err)
		}
		if err = f.probes.listen(p); err != nil {
			return fmt.Errorf("network of %s: %w", name, err)
		}
	}
	// Clients are here, in the namespace of the controller: a place as others.
	clients := &place{addr: f.bridge.controller(), thread: process.NewThread()}
	f.places[history.Clients] = clients
	if err := f.probes.listen(clients); err != nil {
		return fmt.Errorf("network of clients: %w", err)
	}
	for name, p := range f.places {
		var peers []netip.Addr // in the same order in every run: what befalls packets is drawn by it
		for _, other := range append(slices.Clone(nodes), history.Clients) {
			if other != name {
				peers = append(peers, f.places[other].addr)
			}
		}
		if p == clients {
			p.rules, err = packets.NewNamedRules(f.bridge.link.Name, peers)
		} else {
			p.rules, err = packets.NewRulesIn(p.namespace, peers)
		}
		if err != nil {
			return fmt.Errorf("packet rules of %s: %w", name, err)
		}
	}
	return nil
}

// Placement implements [harness.Fleet]: all nodes see each other at the same addresses.
func (f *Fleet) Placement(name string) harness.Placement {
	at := harness.Placement{Node: name, DataDir: filepath.Join(f.dir, name), Program: f.program}
	for _, other := range f.order {
		at.Members = append(at.Members, harness.Member{Name: other, Addr: f.addrs(other)})
	}
	return at
}

func (f *Fleet) addrs(name string) map[string]string {
	addrs := map[string]string{}
	for i, port := range f.ports {
		addrs[port] = netip.AddrPortFrom(f.places[name].addr, uint16(firstPort+i)).String()
	}
	return addrs
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
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		s.Command = append([]string{self}, s.Command...)
	}
	p := f.places[s.Name]
	n := &node{Node: process.New(asNode(s), f.addrs(s.Name), log, p.thread), place: p}
	f.nodes = append(f.nodes, n.Node)
	return n, n.Start(ctx)
}

// asNode returns what a node is started as. It may be of this very program, and is no run; and there is no proxy
// inside, whatever is set outside.
func asNode(s harness.NodeSpec) harness.NodeSpec {
	s.Env = append(slices.Clone(s.Env), roleEnv+"=", "NO_PROXY=*", "no_proxy=*")
	return s
}

// Close implements [harness.Fleet]. The data directories stay: they belong to the run.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var killing errgroup.Group
	for _, n := range f.nodes {
		killing.Go(func() error { return n.Kill(context.Background()) })
	}
	errs := []error{killing.Wait()}
	if f.bridge != nil { // before the namespaces end, as the cables would with them
		errs = append(errs, f.bridge.remove())
	}
	for _, p := range f.places {
		if p.rules != nil {
			errs = append(errs, p.rules.Close())
		}
		if p.probe != nil {
			errs = append(errs, p.probe.Close())
		}
		p.thread.Close()
		if p.namespace != nil {
			errs = append(errs, p.namespace.Close())
		}
	}
	return errors.Join(errs...)
}

// node is a process in its place.
type node struct {
	*process.Node
	place *place
}

// LaunchAs implements [harness.Relauncher].
func (n *node) LaunchAs(s harness.NodeSpec) { n.Node.LaunchAs(asNode(s)) }

// Unplug implements [harness.Unplugger]: the node's interface goes down.
func (n *node) Unplug(context.Context) error { return setUp(n.place.namespace, false) }

// Plug implements [harness.Unplugger].
func (n *node) Plug(context.Context) error { return setUp(n.place.namespace, true) }
