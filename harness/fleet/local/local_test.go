//go:build unix

package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/harness/fleet/process"
	"github.com/sunder-dev/sunder/targets/raft"
)

// The test binary is also the node that the tests launch, and a controller that can be killed.
func TestMain(m *testing.M) {
	raft.ServeIfNode()
	switch os.Getenv("FLEET_TEST_ROLE") {
	case "node":
		node()
	case "controller":
		controller()
	default:
		goleak.VerifyTestMain(m)
	}
}

// node listens for peers and prints what they send, line by line. It answers each with "ok". A
// line to its client port is sent on to the peer that it names, and confirmed once that is done.
func node() {
	go func() { // the watchdog
		fd, _ := strconv.Atoi(os.Getenv(harness.WatchdogEnv))
		_, _ = io.Copy(io.Discard, os.NewFile(uintptr(fd), "watchdog"))
		os.Exit(0)
	}()
	self, client := os.Getenv("SELF"), os.Getenv("CLIENT")
	fmt.Println("starting")
	go serve(client, func(line string, c net.Conn) { // "ADDR TEXT"
		addr, text, _ := strings.Cut(line, " ")
		sendTo(addr, text)
		fmt.Fprintln(c, "sent")
	})
	serve(self, func(line string, c net.Conn) {
		fmt.Println("got", line)
		fmt.Fprintln(c, "ok")
	})
}

var outgoing = struct {
	sync.Mutex
	conns map[string]net.Conn
}{conns: map[string]net.Conn{}}

// sendTo sends a line on the connection that is kept to an address, or on a new one.
func sendTo(addr, text string) {
	outgoing.Lock()
	defer outgoing.Unlock()
	if c, ok := outgoing.conns[addr]; ok {
		if _, err := fmt.Fprintln(c, text); err == nil {
			return
		}
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	outgoing.conns[addr] = c
	fmt.Fprintln(c, text)
	go func() {
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				outgoing.Lock()
				if outgoing.conns[addr] == c {
					delete(outgoing.conns, addr)
				}
				outgoing.Unlock()
				fmt.Println("lost", text)
				return
			}
			fmt.Print("answer ", line)
		}
	}()
}

func serve(addr string, handle func(string, net.Conn)) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			s := bufio.NewScanner(c)
			for s.Scan() {
				handle(s.Text(), c)
			}
		}()
	}
}

// rig is a fleet of nodes that talk when they are told to.
type rig struct {
	t     *testing.T
	fleet *Fleet
	nodes map[string]harness.Node
	logs  map[string]*fleettest.Output
}

func newRig(t *testing.T, n int, latency time.Duration) *rig {
	r := &rig{t: t, fleet: New(t.TempDir(), latency), nodes: map[string]harness.Node{}, logs: map[string]*fleettest.Output{}}
	t.Cleanup(func() { require.NoError(t, r.fleet.Close()) })
	names := harness.NodeNames(n)
	require.NoError(t, r.fleet.Plan(t.Context(), names, []string{"peer", "client"}))
	for _, name := range names {
		r.logs[name] = &fleettest.Output{}
		node, err := r.fleet.Launch(t.Context(), r.spec(name), r.logs[name])
		require.NoError(t, err)
		r.nodes[name] = node
	}
	for _, name := range names {
		for _, port := range []string{"peer", "client"} {
			r.eventually(func() bool {
				c, err := net.Dial("tcp", r.nodes[name].Addr(port))
				if err == nil {
					c.Close()
				}
				return err == nil
			}, "%s listens", name)
		}
	}
	return r
}

func (r *rig) spec(name string) harness.NodeSpec {
	p := r.fleet.Placement(name)
	self := r.member(name, name).Addr
	return harness.NodeSpec{
		Name: name, Command: []string{os.Args[0]}, DataDir: p.DataDir,
		Env: []string{"FLEET_TEST_ROLE=node", "SELF=" + self["peer"], "CLIENT=" + self["client"]},
	}
}

// member returns how one node sees another.
func (r *rig) member(viewer, name string) harness.Member {
	for _, m := range r.fleet.Placement(viewer).Members {
		if m.Name == name {
			return m
		}
	}
	r.t.Fatalf("%s does not know %s", viewer, name)
	return harness.Member{}
}

// tell lets one node send a line to another.
func (r *rig) tell(from, to, text string) {
	c, err := net.Dial("tcp", r.nodes[from].Addr("client"))
	require.NoError(r.t, err)
	defer c.Close()
	fmt.Fprintf(c, "%s %s\n", r.member(from, to).Addr["peer"], text)
	_, err = bufio.NewReader(c).ReadString('\n')
	require.NoError(r.t, err)
}

func (r *rig) eventually(ok func() bool, format string, args ...any) {
	r.t.Helper()
	require.Eventuallyf(r.t, ok, 20*time.Second, 2*time.Millisecond, format, args...)
}

// arrives tells until what is told arrives: each time another line, so that nothing is under way
// any more once one has arrived.
func (r *rig) arrives(from, to, text string) {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for i := 1; time.Now().Before(deadline); i++ {
		line := fmt.Sprint(text, " ", i)
		r.tell(from, to, line)
		for patience := time.NewTimer(200 * time.Millisecond); ; {
			if r.logs[to].Count("got "+line) > 0 {
				return
			}
			select {
			case <-patience.C:
			case <-time.After(time.Millisecond):
				continue
			}
			break
		}
	}
	r.t.Fatalf("%s does not hear %q from %s", to, text, from)
}

// vanishes tells, once, and waits until the link has swallowed it.
func (r *rig) vanishes(from, to, text string) {
	r.t.Helper()
	l := harness.Link{From: from, To: to}
	before := r.dropped(l)
	r.tell(from, to, text)
	r.eventually(func() bool { return r.dropped(l) > before }, "%v swallows %q", l, text)
	require.Zero(r.t, r.logs[to].Count("got "+text))
}

func (r *rig) shape(from, to string, drop bool) {
	links := map[harness.Link]harness.Impairment{{From: from, To: to}: {Drop: drop}}
	require.NoError(r.t, r.fleet.Shape(r.t.Context(), links))
}

func (r *rig) dropped(l harness.Link) uint64 {
	seen, err := r.fleet.Traffic(r.t.Context(), []harness.Link{l})
	require.NoError(r.t, err)
	return seen[l].Dropped
}

func TestCutsSwallowAndHeal(t *testing.T) {
	r := newRig(t, 2, 0)
	r.arrives("n1", "n2", "before")
	r.shape("n1", "n2", true)
	r.vanishes("n1", "n2", "during") // on the connection that was there
	require.Zero(t, r.logs["n1"].Count("lost before 1"), "a cut resets and closes nothing")
	r.shape("n1", "n2", false)
	r.arrives("n1", "n2", "after")
	require.Zero(t, r.logs["n2"].Count("got during"), "what was lost stays lost")
}

func TestCutsSwallowNewConnections(t *testing.T) {
	r := newRig(t, 2, 0)
	r.shape("n1", "n2", true)
	r.vanishes("n1", "n2", "first")
	r.shape("n1", "n2", false)
	r.arrives("n1", "n2", "second")
	require.Zero(t, r.logs["n2"].Count("got first"))
}

func TestOneWayIsOneWay(t *testing.T) {
	r := newRig(t, 2, 0)
	r.shape("n2", "n1", true)
	r.arrives("n1", "n2", "hello")
	r.vanishes("n2", "n1", "hello back")
	require.Zero(t, r.logs["n1"].Count("answer ok"), "the answer goes over the cut link")
	r.eventually(func() bool { return r.dropped(harness.Link{From: "n2", To: "n1"}) > 0 }, "the answer is lost")
	r.shape("n2", "n1", false)
	r.arrives("n2", "n1", "healed")
}

func TestAConnectionThatLostNothingLivesOn(t *testing.T) {
	r := newRig(t, 2, 0)
	r.arrives("n1", "n2", "before")
	r.shape("n1", "n2", true)
	r.shape("n1", "n2", false)
	r.arrives("n1", "n2", "after")
	require.Zero(t, r.logs["n1"].Count("lost before 1"))
}

// The end of a connection does not get through a cut link either: to the other side, a node that
// dies behind a cut is only silent.
func TestCutsSwallowEnds(t *testing.T) {
	r := newRig(t, 2, 0)
	r.arrives("n1", "n2", "before")
	r.shape("n2", "n1", true)
	require.NoError(t, r.nodes["n2"].Kill(t.Context()))
	r.shape("n1", "n2", true)
	r.vanishes("n1", "n2", "into the void")
	require.Zero(t, r.logs["n1"].Count("lost before 1"))
	r.shape("n2", "n1", false)
	r.eventually(func() bool { return r.logs["n1"].Count("lost before 1") > 0 }, "the end arrives once the link is mended")
}

func TestLatencyDelaysAndKeepsOrder(t *testing.T) {
	const latency = 50 * time.Millisecond
	r := newRig(t, 2, latency)
	start := time.Now()
	for i := range 5 {
		r.tell("n1", "n2", fmt.Sprint("line ", i))
	}
	r.eventually(func() bool { return r.logs["n2"].Count("got line 4") > 0 }, "the last line")
	require.GreaterOrEqual(t, time.Since(start), latency)
	r.eventually(func() bool { return r.logs["n1"].Count("answer ok") == 5 }, "the answers")
	require.GreaterOrEqual(t, time.Since(start), 2*latency)
}

// A narrow link carries as much as it is to, a jittery one is late now and then, both keep the order, and what is on
// its way when that ends comes at once.
func TestNarrowAndJittery(t *testing.T) {
	r := newRig(t, 2, 0)
	l := harness.Link{From: "n1", To: "n2"}
	shape := func(i harness.Impairment) {
		require.NoError(t, r.fleet.Shape(t.Context(), map[harness.Link]harness.Impairment{l: i}))
	}
	r.arrives("n1", "n2", "before")
	shape(harness.Impairment{Rate: 10_000})
	start := time.Now()
	for i := range 5 {
		r.tell("n1", "n2", fmt.Sprint(strings.Repeat("x", 1000), " ", i))
	}
	r.eventually(func() bool { return r.logs["n2"].Count("got "+strings.Repeat("x", 1000)+" 4") > 0 }, "the last line")
	require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
	seen, err := r.fleet.Traffic(t.Context(), []harness.Link{l})
	require.NoError(t, err)
	require.Positive(t, seen[l].Queued, "pieces, which several lines may be in")

	shape(harness.Impairment{Jitter: 100 * time.Millisecond})
	var took []time.Duration
	for range 20 {
		late, err := r.fleet.Delays(t.Context(), []harness.Link{l})
		require.NoError(t, err)
		require.Contains(t, late, l)
		took = append(took, late[l])
	}
	require.Greater(t, slices.Max(took)-slices.Min(took), 20*time.Millisecond)

	shape(harness.Impairment{Rate: 1})
	long := strings.Repeat("y", 3600) // for an hour
	r.tell("n1", "n2", long)
	shape(harness.Impairment{})
	r.eventually(func() bool { return r.logs["n2"].Count("got "+long) > 0 }, "what was on its way")
}

func TestKillAndStart(t *testing.T) {
	r := newRig(t, 2, 0)
	n := r.nodes["n2"]
	exited := n.Exited()
	require.NoError(t, n.Kill(t.Context()))
	<-exited
	require.NoError(t, n.Kill(t.Context()), "the dead are dead")
	require.NoError(t, n.Start(t.Context()))
	require.NoError(t, n.Start(t.Context()), "the living live")
	r.arrives("n1", "n2", "again")
	require.Equal(t, 2, r.logs["n2"].Count("starting"))
}

func TestPauseAndResume(t *testing.T) {
	r := newRig(t, 2, 0)
	n := r.nodes["n2"]
	require.NoError(t, n.Pause(t.Context()))
	r.tell("n1", "n2", "sleep well") // the kernel takes it for the sleeper
	require.NoError(t, n.Resume(t.Context()))
	r.eventually(func() bool { return r.logs["n2"].Count("got sleep well") > 0 }, "it finds its mail")
}

func TestCloseLeavesNothing(t *testing.T) {
	r := newRig(t, 3, 0)
	var pids []int
	for _, n := range r.nodes {
		pids = append(pids, n.(*process.Node).Pid())
	}
	require.NoError(t, r.nodes["n1"].Pause(t.Context()))
	require.NoError(t, r.fleet.Close())
	require.NoError(t, r.fleet.Close())
	for _, pid := range pids {
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	}
	_, err := net.Dial("tcp", r.member("n1", "n2").Addr["peer"])
	require.Error(t, err, "a proxy still listens")
	_, err = r.fleet.Launch(t.Context(), r.spec("n1"), io.Discard)
	require.ErrorContains(t, err, "closed")
}

// controller launches nodes, prints their pids, and waits to be killed.
func controller() {
	f := New(os.Getenv("DIR"), 0)
	ctx := context.Background()
	names := harness.NodeNames(2)
	if err := f.Plan(ctx, names, []string{"peer", "client"}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, name := range names {
		r := &rig{fleet: f}
		n, err := f.Launch(ctx, r.spec(name), io.Discard)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n.(*process.Node).Pid())
	}
	fmt.Println("ready")
	select {}
}

// If the controller is killed with SIGKILL, its nodes die too, even one that stands still.
func TestNodesDieWithTheController(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLEET_TEST_ROLE=controller", "DIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var pids []int
	s := bufio.NewScanner(out)
	for s.Scan() && s.Text() != "ready" {
		pid, err := strconv.Atoi(s.Text())
		require.NoError(t, err, s.Text())
		pids = append(pids, pid)
	}
	require.Len(t, pids, 2)
	require.NoError(t, syscall.Kill(pids[0], 0))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for _, pid := range pids {
		require.Eventually(t, func() bool {
			if syscall.Kill(pid, 0) != nil {
				return true
			}
			// An orphan may stay a zombie where nobody reaps it.
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err == nil && strings.Contains(string(stat), ") Z ")
		}, 2*time.Second, 5*time.Millisecond)
	}
}

func TestAFailedLaunchIsAnError(t *testing.T) {
	f := New(t.TempDir(), 0)
	defer f.Close()
	require.NoError(t, f.Plan(t.Context(), []string{"n1"}, []string{"peer"}))
	_, err := f.Launch(t.Context(), harness.NodeSpec{Name: "n1", Command: []string{"/no/such/program"}, DataDir: t.TempDir()}, io.Discard)
	require.ErrorContains(t, err, "/no/such/program")
	f2 := New(t.TempDir(), 0)
	defer f2.Close()
	require.ErrorContains(t, f2.Plan(t.Context(), []string{"n1"}, nil), "without ports")
}
