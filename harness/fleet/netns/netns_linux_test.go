package netns

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/targets/raft"
)

// What a test program is told: that it is a controller which is to be killed, and in which role it is to be inside.
const (
	controllerEnv = "NETNS_TEST_CONTROLLER"
	insideEnv     = "NETNS_TEST_INSIDE"
)

// All tests run inside: the fleet works nowhere else.
func TestMain(m *testing.M) {
	raft.ServeIfNode()
	Arrive()
	switch {
	case Inside() && os.Getenv(controllerEnv) != "":
		controller()
	case Inside():
		goleak.VerifyTestMain(m)
	}
	var code int
	var err error
	if role := os.Getenv(insideEnv); role != "" {
		code, err = enter(context.Background(), role, os.Args[1:], os.Stdout, os.Stderr)
	} else {
		code, err = Enter(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if os.Getenv("CI") != "" || os.Getenv(controllerEnv) != "" {
			os.Exit(1)
		}
		fmt.Fprintln(os.Stderr, "skipped: this machine cannot run the netns fleet")
	}
	os.Exit(code)
}

// launch launches a cluster of the built-in Raft and waits until it serves.
func launch(t *testing.T, nodes int) (*harness.Cluster, *Fleet) {
	target, err := raft.New(nil)
	require.NoError(t, err)
	f := New(t.TempDir(), os.Args[0])
	c := harness.NewCluster(target, f, harness.NodeNames(nodes), func(string) {})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	require.NoError(t, c.Serving(t.Context()))
	return c, f
}

func TestFleet(t *testing.T) {
	fleettest.Test(t, fleettest.Config{New: func() (harness.Fleet, harness.Target, error) {
		target, err := raft.New(nil)
		return New(t.TempDir(), os.Args[0]), target, err
	}})
}

// Two fleets of one controller have networks of their own.
func TestFleetsSideBySide(t *testing.T) {
	_, a := launch(t, 3)
	_, b := launch(t, 3)
	require.NotEqual(t, a.Placement("n1").Members[0], b.Placement("n1").Members[0])
	many := New(t.TempDir(), os.Args[0])
	defer func() { require.NoError(t, many.Close()) }()
	require.NoError(t, many.Plan(t.Context(), harness.NodeNames(9), []string{"peer"}))
}

// A node that is killed and started again while it is cut off is cut off still, with the same counters.
func TestRulesOutliveTheNode(t *testing.T) {
	c, f := launch(t, 3)
	l := harness.Link{From: "n1", To: "n3"}
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Drop: true}}))
	count := func() harness.Traffic {
		require.NoError(t, f.Probe(t.Context(), []harness.Link{l}))
		seen, err := f.Traffic(t.Context(), []harness.Link{l})
		require.NoError(t, err)
		return seen[l]
	}
	require.Eventually(t, func() bool { return count().Dropped > 0 }, 10*time.Second, time.Millisecond)
	n := c.Node("n3")
	require.NoError(t, n.Kill(t.Context()))
	between := count()
	require.NoError(t, n.Start(t.Context()))
	require.Eventually(t, func() bool { return count().Dropped > between.Dropped }, 10*time.Second, time.Millisecond)
	require.Equal(t, between.Passed, count().Passed)
}

// A node can be started while its network is pulled out, and serves once it is put back.
func TestStartedWhileUnplugged(t *testing.T) {
	c, _ := launch(t, 3)
	n := c.Node("n2")
	require.NoError(t, n.(harness.Unplugger).Unplug(t.Context()))
	require.NoError(t, n.Kill(t.Context()))
	require.NoError(t, n.Start(t.Context()))
	d := net.Dialer{Timeout: 300 * time.Millisecond}
	_, err := d.DialContext(t.Context(), "tcp", n.Addr("client"))
	require.Error(t, err)
	require.NoError(t, n.(harness.Unplugger).Plug(t.Context()))
	target, err := raft.New(nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return target.Ready(t.Context(), n) == nil }, 20*time.Second, 5*time.Millisecond)
}

// Nothing leads out of the enclosure.
func TestNoWayOut(t *testing.T) {
	launch(t, 3)
	d := net.Dialer{Timeout: time.Second}
	_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:80") // an address for documentation
	require.ErrorContains(t, err, "network is unreachable")
}

// controller launches nodes and says so; it ends when it is killed.
func controller() {
	target, err := raft.New(nil)
	if err == nil {
		c := harness.NewCluster(target, New(os.Getenv(controllerEnv), os.Args[0]), harness.NodeNames(3), func(string) {})
		err = c.Launch(context.Background(), 1, func(string) io.Writer { return io.Discard })
	}
	fmt.Printf("launched: %v\n", err)
	select {}
}

// marked returns the commands of the processes that have a mark in their environment, as far as they can be seen.
func marked(mark string) (commands []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), mark) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return commands
}

// If the process outside is killed with SIGKILL, at whatever moment, nothing is left: no process, and so no namespace,
// interface or mount. No code of ours runs then.
func TestNothingIsLeft(t *testing.T) {
	r := randv2.New(randv2.NewPCG(1, 1))
	for i := range 12 {
		mark := rand.Text()
		role := []string{roleRun, roleRunNoPID}[i/6]
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), controllerEnv+"="+t.TempDir(), "MARK="+mark, roleEnv+"=", insideEnv+"="+role)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		if i%6 == 0 { // all of them are there to be seen
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "launched: <nil>\n", line)
			require.GreaterOrEqual(t, len(marked(mark)), 5, "a process outside, one inside, and three nodes")
		} else {
			timer := time.NewTimer(time.Duration(r.IntN(250)) * time.Millisecond)
			<-timer.C
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		require.Eventually(t, func() bool { return len(marked(mark)) == 0 }, 10*time.Second, 5*time.Millisecond,
			"left in role %s: %v", role, marked(mark))
	}
}

// What does not work is named by its step, with the one command that helps.
func TestAdvice(t *testing.T) {
	require.Contains(t, advice(*failed(stepNetwork, fmt.Errorf("veth: %w", unsupported))), "modprobe")
	require.Contains(t, advice(*failed(stepClone, noSpace)), "user.max_user_namespaces")
	require.Contains(t, advice(*failed(stepMount, denied)), "systempaths=unconfined")
	require.Contains(t, advice(*failed(stepClone, denied)), "seccomp=unconfined")
	require.Equal(t, "mount /proc: operation not permitted", failed(stepMount, denied).Error())
	require.Empty(t, advice(*failed(stepPacket, context.DeadlineExceeded)))
}

// A run goes on in the process namespace of others where /proc cannot be mounted.
func TestWithoutAProcessNamespace(t *testing.T) {
	require.Nil(t, attempt(t.Context(), roleTryNoPID))
	require.Nil(t, attempt(t.Context(), roleTry))
	require.NotNil(t, attempt(t.Context(), "no such role"))
}

// What a machine may answer.
const (
	unsupported = syscall.EOPNOTSUPP
	noSpace     = syscall.ENOSPC
	denied      = syscall.EPERM
)

// What is asked for is what a link takes: not less, and not a fifth and some milliseconds more, also while the link is
// in use. What was under way when it ended comes at once.
func TestDelaysAreMeasured(t *testing.T) {
	_, f := launch(t, 3)
	l := harness.Link{From: "n1", To: "n2"}
	for _, by := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 400 * time.Millisecond} {
		require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Delay: by}}))
		least := time.Hour
		for range 5 {
			took, err := f.Delays(t.Context(), []harness.Link{l, {From: "n2", To: "n1"}})
			require.NoError(t, err)
			require.Contains(t, took, l)
			require.GreaterOrEqual(t, took[l], by)
			least = min(least, took[l])
			require.Less(t, took[harness.Link{From: "n2", To: "n1"}], by+100*time.Millisecond, "the way back is as it was")
		}
		require.Less(t, least, by+by/5+10*time.Millisecond)
	}
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Delay: time.Hour}}))
	arrived := make(chan time.Time, 1)
	f.probes.send(f.places["n1"], f.places["n2"], func(at time.Time) { arrived <- at })
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {}}))
	<-arrived
}

// A link that loses most of what is sent can be late too, and is seen to be.
func TestADelayOfALossyLink(t *testing.T) {
	c, _ := launch(t, 3)
	links := append(harness.Link{From: "n1", To: "n2"}.Both(), harness.Link{From: "n1", To: "n3"}.Both()...)
	lossy, late := c.NewInjection(), c.NewInjection()
	require.NoError(t, lossy.Impair(t.Context(), harness.Impairment{Loss: 0.8}, links...))
	require.NoError(t, late.Impair(t.Context(), harness.Impairment{Delay: 30 * time.Millisecond}, links...))
	require.NoError(t, late.Heal(t.Context()))
	require.NoError(t, lossy.Heal(t.Context()))
}

// Whoever sets the variable by hand, outside, is refused: the host's network and mounts are nobody's to change.
func TestTheVariableAloneIsNotTrusted(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=leap")
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "it is for sunder's own use")
	mapped, err := os.ReadFile("/proc/self/uid_map")
	require.NoError(t, err)
	require.NoError(t, mappedAlone(string(mapped)), "this is inside")
	for _, outside := range []string{"         0          0 4294967295\n", "0 1000 1\n1 100000 65536\n", ""} {
		require.ErrorContains(t, mappedAlone(outside), "unset it")
	}
}
