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
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
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
		code, err = enter(context.Background(), role, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	} else {
		code, err = Enter(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
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
