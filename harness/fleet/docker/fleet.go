// Package docker runs nodes in containers, with packet rules for every link.
package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	randv2 "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"
	"github.com/testcontainers/testcontainers-go"
	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/agent"
	"github.com/sunder-dev/sunder/harness/fleet/packets"
)

const (
	// containerData is where a node finds its data.
	containerData = "/data"
	// AgentProgram is where the agent's image has sunder.
	AgentProgram = "/sunder"
	// firstPort is the first of a node's ports; every node has an address of its own.
	firstPort = 7001
)

// Fleet runs every node in two containers. The pod runs our agent and owns the network namespace,
// the address and the packet rules; the node's own container, with an image that is not touched,
// joins it. So a node that is killed and started again has its address and its cut links still.
type Fleet struct {
	Config
	engine *Engine
	token  string

	lease *lease
	place string // where the lease is
	id    string // short, in the names of what we make

	mu      sync.Mutex
	order   []string
	ports   []string
	network string // its id
	pods    map[string]*pod
	nodes   map[string]*dockerNode
	closed  bool
	lacks   []harness.Capability                // what the engine's kernel cannot do to packets
	links   map[harness.Link]harness.Impairment // as they are to be
}

// Config says what a docker fleet is made of.
type Config struct {
	Name  string // of the run, for what 'sunder clean' says
	Agent string // image with sunder at [AgentProgram], for the pods
	Image string // image of the nodes
	// Program is the nodes' program in their image; empty if it is where the target says.
	Program string
}

// pod is the container that owns a node's network.
type pod struct {
	id    string
	addr  netip.Addr
	reach map[string]string // where the controller reaches a port
	agent *agent.Client
	began string // when the engine started it, as it says

	// talk is held while the agent is talked to, and while the network is pulled out or put back: what
	// is told about links arrives in the order in which it was decided.
	talk      sync.Mutex
	unplugged bool
	lastSeen  map[netip.Addr]harness.Traffic // by the time that it was unplugged
}

// New returns a fleet on an engine, which it closes.
func New(engine *Engine, c Config) *Fleet {
	return &Fleet{
		Config: c, engine: engine, token: rand.Text(), id: strings.ToLower(rand.Text()[:8]),
		pods: map[string]*pod{}, nodes: map[string]*dockerNode{}, links: map[harness.Link]harness.Impairment{},
	}
}

// Can is what docker fleets can do, where the engine's kernel has all that it takes.
func Can() []harness.Capability {
	can := slices.DeleteFunc(packets.Can(), func(c harness.Capability) bool { return c == harness.LinkDuplicate })
	return append(can, // a packet is sent again by a raw socket, which pods may not open (CAP_NET_RAW)
		harness.NodeAddress, harness.NodeProgram, harness.NodeKill, harness.NodePause, harness.NodeUnplug)
}

// Can implements [harness.Fleet]: once pods run, what their kernel can do.
func (f *Fleet) Can() []harness.Capability {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(Can(), func(c harness.Capability) bool { return slices.Contains(f.lacks, c) })
}

// Plan implements [harness.Fleet]: it makes the network and starts all pods, side by side. What
// runs that are dead have left is removed first.
func (f *Fleet) Plan(ctx context.Context, nodes, ports []string) (err error) {
	if len(ports) == 0 {
		return errors.New("a node without ports cannot be reached")
	}
	if _, err := f.engine.Clean(ctx); err != nil {
		slog.Warn("what dead runs left could not all be removed; 'sunder clean' may help", "err", err) // it is not in our way
	}
	if f.lease, err = takeLease(f.id); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	if f.place, err = leasePlace(); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	f.order, f.ports = nodes, ports
	subnet, err := f.makeNetwork(ctx)
	if err != nil {
		return err
	}
	addr := subnet.Addr().Next() // the engine's own
	for _, name := range nodes {
		addr = addr.Next()
		f.pods[name] = &pod{addr: addr}
	}
	var group errgroup.Group
	for _, name := range nodes {
		group.Go(func() error {
			if err := f.startPod(ctx, name); err != nil {
				return fmt.Errorf("pod of %s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	lacks, err := f.pods[nodes[0]].agent.Lacks(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lacks = lacks
	return err
}

// labels mark everything that a run makes.
func (f *Fleet) labels() map[string]string {
	return map[string]string{labelRun: f.Name, labelLease: f.lease.run, labelPlace: f.place}
}

// makeNetwork makes a network with a subnet of its own, out of a part of 10/8 that few use. The
// addresses of nodes can be chosen only in a subnet that was chosen.
func (f *Fleet) makeNetwork(ctx context.Context) (netip.Prefix, error) {
	var refused error
	for range 20 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(200 + randv2.IntN(50)), byte(randv2.IntN(256)), 0}), 24)
		if inUse(subnet) {
			continue
		}
		making, cancel := sure(ctx)
		ipam := network.IPAMConfig{Subnet: subnet.String(), Gateway: subnet.Addr().Next().String()}
		request := testcontainers.NetworkRequest{ //nolint:staticcheck // the successor cannot name a network
			Name: "sunder-" + f.id, Driver: "bridge", Labels: f.labels(),
			IPAM: &network.IPAM{Config: []network.IPAMConfig{ipam}},
		}
		n, err := f.engine.provider.CreateNetwork(making, request) //nolint:staticcheck // the successor cannot name a network
		cancel()
		if err == nil {
			f.network = n.(*testcontainers.DockerNetwork).ID
			return subnet, nil
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "overlap") {
			return netip.Prefix{}, fmt.Errorf("make a network: %w", err)
		}
		refused = err
	}
	return netip.Prefix{}, fmt.Errorf("no free subnet in 10.200.0.0-10.249.255.0: %w", refused)
}

// inUse reports whether an interface of this machine has an address in a subnet.
func inUse(subnet netip.Prefix) bool {
	addrs, _ := net.InterfaceAddrs() // the engine checks too
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(subnet) {
			return true
		}
	}
	return false
}

// logLimits bound what the engine keeps of a container's output; its follower has read it by then.
var logLimits = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "32m", "max-file": "2"}}

// startPod starts the pod of a node and waits until its agent answers.
func (f *Fleet) startPod(ctx context.Context, name string) error {
	p := f.pods[name]
	listen := netip.AddrPortFrom(p.addr, agent.Port)
	var peers []string
	for _, other := range f.order {
		if other != name {
			peers = append(peers, f.pods[other].addr.String())
		}
	}
	request := testcontainers.ContainerRequest{
		Name: f.containerName(name) + "-pod", Image: f.Agent, Labels: f.labels(),
		Entrypoint: []string{AgentProgram, "agent", "--listen", listen.String(), "--peers", strings.Join(peers, ",")},
		Env:        map[string]string{agent.TokenEnv: f.token},
		Networks:   []string{"sunder-" + f.id},
		ConfigModifier: func(c *container.Config) {
			c.Hostname = name
			c.User = "0:0"
		},
		HostConfigModifier: func(h *container.HostConfig) {
			harden(h)
			h.CapAdd = []string{"NET_ADMIN"}
			// So that a node can start, and listen on its address, while its network is unplugged.
			h.Sysctls = map[string]string{"net.ipv4.ip_nonlocal_bind": "1"}
			h.PortBindings = f.published()
		},
		EndpointSettingsModifier: func(e map[string]*network.EndpointSettings) {
			for _, settings := range e {
				settings.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: p.addr.String()}
			}
		},
	}
	for port := range f.published() {
		request.ExposedPorts = append(request.ExposedPorts, string(port))
	}
	c, err := f.create(ctx, request)
	if err != nil {
		return err
	}
	p.id = c
	if err := f.engine.client.ContainerStart(ctx, p.id, container.StartOptions{}); err != nil {
		return err
	}
	if c, err := f.engine.client.ContainerInspect(ctx, p.id); err == nil {
		p.began = c.State.StartedAt
	}
	if p.reach, err = f.reach(ctx, p); err != nil {
		return err
	}
	p.agent = agent.NewClient(p.reach[agentPort], f.token)
	return f.awaitAgent(ctx, p)
}

// sure returns a context for making something: it does not end when ctx does. An engine that was asked
// to make something makes it, whether anybody waits for the answer or not, and what nobody knows of
// nobody removes.
func sure(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
}

const makeTimeout = 30 * time.Second

// create makes a container and does not start it.
func (f *Fleet) create(ctx context.Context, r testcontainers.ContainerRequest) (id string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ctx, cancel := sure(ctx)
	defer cancel()
	c, err := f.engine.provider.CreateContainer(ctx, r)
	if err != nil {
		return "", err
	}
	return c.GetContainerID(), nil
}

// harden takes everything from a container that it does not need.
func harden(h *container.HostConfig) {
	h.CapDrop = []string{"ALL"}
	h.SecurityOpt = []string{"no-new-privileges"}
	h.ReadonlyRootfs = true
	h.Tmpfs = map[string]string{"/tmp": "size=64m"}
	h.LogConfig = logLimits
}

func (f *Fleet) containerName(node string) string { return "sunder-" + f.id + "-" + node }

// agentPort is the name of the agent's port beside those of the target.
const agentPort = "(agent)"

// numbers returns the number of each port by name.
func (f *Fleet) numbers() map[string]int {
	numbers := map[string]int{agentPort: agent.Port}
	for i, name := range f.ports {
		numbers[name] = firstPort + i
	}
	return numbers
}

// published are the ports that the engine must forward to from loopback: none where containers can
// be reached directly. The engine's proxy accepts connections for a node that is down, so it is in
// the way only where there is no other.
func (f *Fleet) published() nat.PortMap {
	if f.engine.direct() {
		return nil
	}
	ports := nat.PortMap{}
	for _, n := range f.numbers() {
		ports[nat.Port(fmt.Sprintf("%d/tcp", n))] = []nat.PortBinding{{HostIP: "127.0.0.1"}}
	}
	return ports
}

// reach finds out where the controller reaches the ports of a pod.
func (f *Fleet) reach(ctx context.Context, p *pod) (map[string]string, error) {
	reach := map[string]string{}
	if f.engine.direct() {
		for name, n := range f.numbers() {
			reach[name] = netip.AddrPortFrom(p.addr, uint16(n)).String()
		}
		return reach, nil
	}
	c, err := f.engine.client.ContainerInspect(ctx, p.id)
	if err != nil {
		return nil, err
	}
	for name, n := range f.numbers() {
		bound := c.NetworkSettings.Ports[nat.Port(fmt.Sprintf("%d/tcp", n))]
		if len(bound) == 0 {
			return nil, fmt.Errorf("the engine has not published port %d", n)
		}
		reach[name] = net.JoinHostPort("127.0.0.1", bound[0].HostPort)
	}
	return reach, nil
}

// awaitAgent waits until the agent of a pod answers.
func (f *Fleet) awaitAgent(ctx context.Context, p *pod) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := p.agent.Traffic(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the agent does not answer: %w%s", err, f.lastWords(p.id))
		case <-tick.C:
		}
		if c, inspectErr := f.engine.client.ContainerInspect(ctx, p.id); inspectErr == nil && !c.State.Running {
			return fmt.Errorf("the agent ended with code %d%s", c.State.ExitCode, f.lastWords(p.id))
		}
	}
}

// lastWords returns the end of what a container said, for error messages.
func (f *Fleet) lastWords(id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	logs, err := f.engine.client.ContainerLogs(
		ctx,
		id,
		container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "5"},
	)
	if err != nil {
		return ""
	}
	defer logs.Close()
	var words strings.Builder
	_ = demultiplex(logs, func(m []byte) { words.Write(m) }) // whatever there is
	if words.Len() == 0 {
		return ""
	}
	return "; it said: " + strings.TrimSpace(words.String())
}

// Placement implements [harness.Fleet]: all nodes see each other at the same addresses.
func (f *Fleet) Placement(name string) harness.Placement {
	place := harness.Placement{Node: name, DataDir: containerData, Program: f.Program}
	for _, other := range f.order {
		m := harness.Member{Name: other, Addr: map[string]string{}}
		for i, port := range f.ports {
			m.Addr[port] = netip.AddrPortFrom(f.pods[other].addr, uint16(firstPort+i)).String()
		}
		place.Members = append(place.Members, m)
	}
	return place
}

// Launch implements [harness.Fleet].
func (f *Fleet) Launch(ctx context.Context, s harness.NodeSpec, log io.Writer) (harness.Node, error) {
	p := f.pods[s.Name]
	name := f.containerName(s.Name)
	making, cancel := sure(ctx)
	defer cancel()
	if _, err := f.engine.client.VolumeCreate(making, volume.CreateOptions{Name: name, Labels: f.labels()}); err != nil {
		return nil, fmt.Errorf("volume: %w", err)
	}
	env := make(map[string]string, len(s.Env))
	for _, e := range s.Env {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	image, command := f.Image, s.Command
	if s.Self {
		image, command = f.Agent, append([]string{AgentProgram}, s.Command...)
	}
	id, err := f.create(ctx, testcontainers.ContainerRequest{
		Name: name, Image: image, Labels: f.labels(), Entrypoint: command, Env: env,
		Mounts:         testcontainers.Mounts(testcontainers.VolumeMount(name, containerData)),
		ConfigModifier: func(c *container.Config) { c.User = "0:0" }, // of its own volume, and with no capabilities
		HostConfigModifier: func(h *container.HostConfig) {
			harden(h)
			h.NetworkMode = container.NetworkMode("container:" + p.id)
		},
	})
	if err != nil {
		return nil, err
	}
	n := newDockerNode(f, s.Name, id, p, log)
	f.mu.Lock()
	f.nodes[s.Name] = n
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return nil, errors.New("the fleet is closed")
	}
	return n, n.Start(ctx)
}

// endTimeout bounds the ending of nodes and the reading of their last words, closeTimeout the removing
// of everything, which is done whatever came of the former.
const (
	endTimeout   = 10 * time.Second
	closeTimeout = time.Minute
)

// Close implements [harness.Fleet]. The nodes' logs are read to their ends before they are removed.
func (f *Fleet) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	nodes := f.nodes
	f.mu.Unlock()
	ending, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	var group errgroup.Group
	for _, n := range nodes {
		group.Go(func() error { return n.end(ending) })
	}
	errs := []error{group.Wait()}
	for _, p := range f.pods {
		if p.agent != nil {
			p.agent.Close()
		}
	}
	if f.lease != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_, err := f.engine.remove(ctx, f.lease.run)
		errs = append(errs, err, f.lease.release())
	}
	return errors.Join(append(errs, f.engine.Close())...)
}
