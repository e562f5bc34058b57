//go:build unix

package docker

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/targets/kvhttp"
	"github.com/sunder-dev/sunder/targets/raft"
)

// anEngine connects to the engine, or skips the test where there is none. In CI there must be one.
func anEngine(t testing.TB) *Engine {
	engine, err := Connect(t.Context())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have a container engine: %v", err)
		}
		t.Skipf("no container engine: %v", err)
	}
	return engine
}

// ownImage is made once for all tests.
var ownImage = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	engine, err := Connect(ctx)
	if err != nil {
		return "", err
	}
	defer engine.Close()
	return engine.OwnImage(ctx, "(test)", io.Discard)
})

// pods is a docker fleet of nodes of the built-in Raft.
type pods struct {
	*Fleet
	t      testing.TB
	target raft.Target
	nodes  map[string]harness.Node
	logs   map[string]*fleettest.Output
}

func newPods(t testing.TB, n int, change func(*Engine)) *pods {
	engine := anEngine(t)
	image, err := ownImage()
	require.NoError(t, err)
	if change != nil {
		change(engine)
	}
	p := &pods{
		Fleet: New(engine, Config{Name: t.Name(), Agent: image, Image: image}), t: t,
		target: raft.Target{Program: AgentProgram}, nodes: map[string]harness.Node{}, logs: map[string]*fleettest.Output{},
	}
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.Plan(t.Context(), harness.NodeNames(n), p.target.Ports()))
	return p
}

// launch starts all nodes and waits until one leads and all know it.
func (p *pods) launch() {
	for _, name := range p.order {
		p.logs[name] = &fleettest.Output{}
		node, err := p.Launch(p.t.Context(), p.target.Spec(p.Placement(name)), p.logs[name])
		require.NoError(p.t, err)
		p.nodes[name] = node
	}
	for _, name := range p.order {
		p.eventually(func() bool { return p.leader(name) != "" }, "%s knows a leader", name)
	}
}

func (p *pods) eventually(ok func() bool, format string, args ...any) {
	p.t.Helper()
	require.Eventuallyf(p.t, ok, 30*time.Second, 10*time.Millisecond, format, args...)
}

// leader returns who leads, as one node knows.
func (p *pods) leader(name string) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
	defer cancel()
	s, err := p.target.Status(ctx, p.nodes[name])
	if err != nil {
		return ""
	}
	return s.Leader
}

func (p *pods) cut(links ...harness.Link) {
	p.impair(harness.Impairment{Drop: true}, links...)
}

func (p *pods) impair(i harness.Impairment, links ...harness.Link) {
	states := map[harness.Link]harness.Impairment{}
	for _, l := range links {
		states[l] = i
	}
	require.NoError(p.t, p.Shape(p.t.Context(), states))
}

// sends lets the agents send n datagrams over a link, and returns what the link counted of them.
func (p *pods) sends(l harness.Link, n int) (passed, dropped uint64) {
	p.t.Helper()
	before, err := p.Traffic(p.t.Context(), []harness.Link{l})
	require.NoError(p.t, err)
	for range n {
		require.NoError(p.t, p.Probe(p.t.Context(), []harness.Link{l}))
	}
	after, err := p.Traffic(p.t.Context(), []harness.Link{l})
	require.NoError(p.t, err)
	return after[l].Passed - before[l].Passed, after[l].Dropped - before[l].Dropped
}

func TestACutInOneDirectionIsOne(t *testing.T) {
	p := newPods(t, 3, nil) // no nodes: nobody but the probes sends
	there, back := harness.Link{From: "n1", To: "n2"}, harness.Link{From: "n2", To: "n1"}
	elsewhere := harness.Link{From: "n1", To: "n3"}
	p.cut(there)
	for range 3 {
		passed, dropped := p.sends(there, 1)
		require.Zero(t, passed)
		require.Positive(t, dropped)
		for _, l := range []harness.Link{back, elsewhere} {
			passed, dropped = p.sends(l, 1)
			require.Positive(t, passed, l)
			require.Zero(t, dropped, l)
		}
	}
	p.impair(harness.Impairment{}, there)
	passed, dropped := p.sends(there, 1)
	require.Positive(t, passed)
	require.Zero(t, dropped)
}

func TestLossLosesItsShare(t *testing.T) {
	p := newPods(t, 2, nil)
	l := harness.Link{From: "n1", To: "n2"}
	p.impair(harness.Impairment{Loss: 0.3}, l)
	passed, dropped := p.sends(l, 400)
	share := float64(dropped) / float64(passed+dropped)
	require.InDelta(t, 0.3, share, 0.12, "five standard deviations")
}

// Established connections are cut like new ones, and silently; the links stay cut, and the node has its
// address and its data, when it is killed and started again.
func TestAKilledNodeComesBackAsItWas(t *testing.T) {
	p := newPods(t, 3, nil)
	p.launch()
	victim := p.leader("n1")
	client, err := p.target.Dial(t.Context(), p.nodes[victim])
	require.NoError(t, err)
	_, err = client.(*kvhttp.Client).Write(t.Context(), "k", "1")
	require.NoError(t, err)
	require.NoError(t, client.Close())

	var links []harness.Link
	for _, other := range p.order {
		if other != victim {
			links = append(links, harness.Link{From: victim, To: other}.Both()...)
		}
	}
	p.cut(links...)
	p.eventually(func() bool {
		for _, other := range p.order {
			if other != victim && (p.leader(other) == victim || p.leader(other) == "") {
				return false
			}
		}
		return true
	}, "the others elect another one")

	n := p.nodes[victim].(*dockerNode)
	exited := n.Exited()
	require.NoError(t, n.Kill(t.Context()))
	<-exited
	require.NoError(t, n.Kill(t.Context()), "the dead are dead")
	require.NoError(t, n.Start(t.Context()))
	require.NoError(t, n.Start(t.Context()), "the living live")
	p.eventually(func() bool { _, err := p.target.Status(t.Context(), n); return err == nil }, "it answers at its address")
	for _, l := range links {
		passed, dropped := p.sends(l, 1)
		require.Zero(t, passed, "%v is cut still", l)
		require.Positive(t, dropped)
	}
	require.Empty(t, p.leader(victim))
	p.impair(harness.Impairment{}, links...)
	p.eventually(func() bool { return p.leader(victim) != "" }, "it is one of them again")
	client, err = p.target.Dial(t.Context(), n)
	require.NoError(t, err)
	defer client.Close()
	value, _, err := client.(*kvhttp.Client).Read(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "1", *value)
	require.Equal(t, 2, strings.Count(p.logs[victim].String(), `"serving"`))
}

func TestPauseInAContainer(t *testing.T) {
	p := newPods(t, 1, nil)
	p.launch()
	n := p.nodes["n1"].(*dockerNode)
	require.NoError(t, n.Pause(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.target.Status(ctx, n)
	require.ErrorIs(t, err, context.DeadlineExceeded, "the kernel connects, and nobody answers")
	require.NoError(t, n.Resume(t.Context()))
	_, err = p.target.Status(t.Context(), n)
	require.NoError(t, err)

	require.NoError(t, n.Pause(t.Context()))
	require.NoError(t, n.Kill(t.Context()), "a paused container dies too")
	require.NoError(t, n.Resume(t.Context()))
	require.Error(t, n.Pause(t.Context()), "the dead cannot be paused")
}

// A node that is plugged in again has its address, and the links that were cut meanwhile are cut.
func TestUnplugAndPlug(t *testing.T) {
	p := newPods(t, 3, nil)
	p.launch()
	n := p.nodes["n1"].(*dockerNode)
	cut, whole := harness.Link{From: "n2", To: "n1"}, harness.Link{From: "n3", To: "n1"}
	require.NoError(t, n.Unplug(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.target.Status(ctx, n)
	require.Error(t, err)
	p.cut(cut)
	passed, dropped := p.sends(whole, 1)
	require.Zero(t, passed+dropped, "what is unplugged receives nothing")

	// It can even start without a network, and has one later.
	require.NoError(t, n.Kill(t.Context()))
	require.NoError(t, n.Start(t.Context()))
	require.NoError(t, n.Plug(t.Context()))
	passed, dropped = p.sends(cut, 1)
	require.Zero(t, passed)
	require.Positive(t, dropped)
	passed, _ = p.sends(whole, 1)
	require.Positive(t, passed)
	p.impair(harness.Impairment{}, cut)
	p.eventually(func() bool { return p.leader("n1") != "" }, "it is one of them again")
	require.NoError(t, n.Plug(t.Context()), "what is plugged is plugged")
}

// The follower's copy is the engine's whole log, over all starts: nothing lost, nothing twice.
func TestLogsAreWholeOverRestarts(t *testing.T) {
	p := newPods(t, 1, nil)
	p.launch()
	n := p.nodes["n1"].(*dockerNode)
	for range 4 {
		require.NoError(t, n.Kill(t.Context()))
		require.NoError(t, n.Start(t.Context()))
		p.eventually(func() bool { return p.leader("n1") != "" }, "it leads again")
	}
	require.NoError(t, n.Kill(t.Context()))
	stream, err := p.engine.client.ContainerLogs(t.Context(), n.id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	require.NoError(t, err)
	defer stream.Close()
	var whole bytes.Buffer
	require.NoError(t, demultiplex(stream, func(m []byte) { whole.Write(m) }))
	n.logs.end(t.Context())
	require.Equal(t, whole.String(), p.logs["n1"].String())
	require.Equal(t, 5, strings.Count(whole.String(), "became leader"))
}

func TestAnAgentNeedsItsToken(t *testing.T) {
	p := newPods(t, 1, nil)
	url := "http://" + p.pods["n1"].reach[agentPort] + "/links"
	for _, token := range []string{"", "Bearer ", "Bearer wrong", p.token} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", token)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	stranger := netip.MustParseAddr("10.1.2.3")
	_, err := p.pods["n1"].agent.Set(t.Context(), map[netip.Addr]harness.Impairment{stranger: {Drop: true}})
	require.ErrorContains(t, err, "10.1.2.3 is no peer")
	_, err = p.pods["n1"].agent.Probe(t.Context(), map[netip.Addr]uint64{stranger: 1})
	require.ErrorContains(t, err, "10.1.2.3 is no peer")
}

// Least capabilities: the pod may change its network, the node may do nothing at all.
func TestContainersHaveLeastCapabilities(t *testing.T) {
	p := newPods(t, 1, nil)
	p.launch()
	pod, err := p.engine.client.ContainerInspect(t.Context(), p.pods["n1"].id)
	require.NoError(t, err)
	node, err := p.engine.client.ContainerInspect(t.Context(), p.nodes["n1"].(*dockerNode).id)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"CAP_NET_ADMIN"}, pod.HostConfig.CapAdd)
	require.Empty(t, node.HostConfig.CapAdd)
	for _, c := range []container.InspectResponse{pod, node} {
		require.ElementsMatch(t, []string{"ALL"}, c.HostConfig.CapDrop)
		require.True(t, c.HostConfig.ReadonlyRootfs)
		require.False(t, c.HostConfig.Privileged)
		require.Contains(t, c.HostConfig.SecurityOpt, "no-new-privileges")
	}
}

// Where containers cannot be reached directly, ports are forwarded, from loopback.
func TestPublishedPorts(t *testing.T) {
	p := newPods(t, 3, func(e *Engine) { e.info.SecurityOptions = append(e.info.SecurityOptions, "name=rootless") })
	p.launch()
	require.True(t, strings.HasPrefix(p.nodes["n1"].Addr("client"), "127.0.0.1:"))
	p.cut(harness.Link{From: "n1", To: "n2"})
	_, dropped := p.sends(harness.Link{From: "n1", To: "n2"}, 1)
	require.Positive(t, dropped)
}

// left returns what there is of a run.
func (p *pods) left(e *Engine, lease string) int {
	t, err := e.things(context.Background(), filters.Arg("label", labelLease+"="+lease))
	require.NoError(p.t, err)
	return len(t.containers) + len(t.networks) + len(t.volumes)
}

func TestCloseRemovesEverything(t *testing.T) {
	p := newPods(t, 2, nil)
	p.launch()
	other := anEngine(t)
	defer other.Close()
	lease, path := p.lease.run, p.lease.file.Name()
	require.Equal(t, 2+2+1+2, p.left(other, lease))
	require.NoError(t, p.nodes["n1"].Pause(t.Context()))
	require.NoError(t, p.nodes["n2"].(*dockerNode).Unplug(t.Context()))
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.Zero(t, p.left(other, lease))
	require.NoFileExists(t, path)
}

// What a live run owns is never removed; what a dead run left is, and nothing else.
func TestCleanRemovesWhatDeadRunsLeft(t *testing.T) {
	live, dead := newPods(t, 1, nil), newPods(t, 1, nil)
	live.launch()
	dead.launch()
	other := anEngine(t)
	defer other.Close()
	path := dead.lease.file.Name()
	require.NoError(t, dead.lease.file.Close(), "as when its controller dies")
	all, err := other.Clean(t.Context())
	require.NoError(t, err)
	removed, kept := 0, 0
	for _, c := range all {
		if c.Run == t.Name() && c.Kept == "" {
			require.Equal(t, Cleaned{Run: t.Name(), Containers: 2, Networks: 1, Volumes: 1}, c)
			removed++
		} else if c.Run == t.Name() {
			require.Equal(t, "it lives", c.Kept)
			kept++
		}
	}
	require.Equal(t, 1, removed)
	require.Equal(t, 1, kept)
	require.Zero(t, dead.left(other, dead.lease.run))
	require.NotEmpty(t, live.leader("n1"), "the other one has not noticed")
	dead.lease.file, err = os.Create(path) // so that it can be closed like any other
	require.NoError(t, err)
}

func TestARunOfAnotherMachineIsLeftAlone(t *testing.T) {
	require.Contains(t, found{name: "r", place: "elsewhere"}.alive("abcdefgh"), "cannot be told here")
	here, err := leasePlace()
	require.NoError(t, err)
	require.Empty(t, found{name: "r", place: here}.alive("abcdefgh"))
	// What comes out of a label may have been put there by anybody.
	for _, bad := range []string{"", "place", "../../x", "/etc/passwd", "ABCDEFGH"} {
		require.Contains(t, found{name: "r", place: here}.alive(bad), "is no name of a run")
	}
}
