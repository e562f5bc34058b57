package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
)

// ran runs a command line in a process of its own, to which something is typed.
func ran(t *testing.T, typed string, args ...string) (code int, said string) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(typed), &out, &out
	err := cmd.Run()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), out.String())
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// What is typed is done, recorded and judged, and can be replayed.
func TestAClusterBrokenByHand(t *testing.T) {
	out := t.TempDir()
	code, said := ran(t, "wait 1s\nisolate leader for 2s\nwait 3s\nkill n2\nfrobnicate\nstatus\nwait 500ms\nheal\nwait 2s\n",
		"up", "-o", out, "--nodes", "3", "--rate", "300")
	require.Equal(t, child.Valid, code, said)
	require.Contains(t, said, "its own client, from another terminal:\n  curl http://127.")
	require.Regexp(t, `fault 0 partition:isolate n\d`, said)
	require.Contains(t, said, `unknown family "frobnicate"`)
	require.Regexp(t, `n2 .* down or paused`, said)
	require.Contains(t, said, "healed 1 kill n2")
	require.Contains(t, said, "VALID  raft/register/by-hand seed ")
	require.Contains(t, said, "sunder up --nodes 3 --rate 300 --seed ")
	require.NoFileExists(t, filepath.Join(out, "latest", "control.sock"))

	code, said = ran(t, "", "run", "-o", out, "--profile", "fixed", "--schedule", filepath.Join(out, "latest"), "--nodes", "3", "--time-limit", "10s")
	require.Equal(t, child.Valid, code, said)
	require.Contains(t, said, "2 faults, all confirmed")
}

// A mistake that is found while somebody breaks the cluster is the verdict.
func TestAMistakeFoundByHand(t *testing.T) {
	out := t.TempDir()
	code, said := ran(t, "wait 1s\nisolate leader for 3s\nwait 4s\nstatus\n",
		"up", "-o", out, "--nodes", "3", "--rate", "600", "--bug", "stale-read")
	require.Equal(t, child.Invalid, code, said)
	require.Contains(t, said, "a violation: ", "status says so at once")
	code, said = ran(t, "", "shrink", filepath.Join(out, "latest"))
	require.Equal(t, child.Usage, code)
	require.Contains(t, said, "was broken by hand", "a run without anybody would show nothing")
}

// A cluster can be held up in the background, and broken from another terminal.
func TestAClusterInTheBackground(t *testing.T) {
	out := t.TempDir()
	code, said := ran(t, "", "up", "-d", "-o", out, "--nodes", "3", "--rate", "200")
	require.Zero(t, code, said)
	dir := filepath.Join(out, "latest")
	t.Cleanup(func() { _, _ = ran(t, "", "down", "--run", dir) })
	code, said = ran(t, "", "do", "--run", dir, "kill", "n1", "for", "1s")
	require.Zero(t, code, said)
	require.Equal(t, "fault 0 kill n1\n", said)
	code, said = ran(t, "", "do", "--run", dir, "kill", "n4")
	require.Equal(t, child.Usage, code)
	require.Contains(t, said, "there is no node n4")
	require.Eventually(t, func() bool {
		_, said = ran(t, "", "do", "--run", dir, "status")
		return !strings.Contains(said, "fault 0")
	}, 10*time.Second, 50*time.Millisecond)
	code, said = ran(t, "", "down", "--run", dir)
	require.Contains(t, []int{child.Valid, child.Unknown}, code, said) // it may have been up for too short a time
	require.FileExists(t, lastLine(said))
	code, said = ran(t, "", "do", "--run", dir, "status")
	require.Equal(t, child.Usage, code)
	require.Contains(t, said, "no cluster is up there")

	code, said = ran(t, "", "up", "-d", "-o", out, "--target", "nothing")
	require.Equal(t, child.Usage, code)
	require.Contains(t, said, `unknown target "nothing"`)
	code, said = ran(t, "", "up", "-d", "-o", out, "--nodes", "3", "--target-flag", "election-timeout=1ns")
	require.NotZero(t, code, said)
}

func TestWhereGoRunBuilds(t *testing.T) {
	require.True(t, ofGoRun.MatchString("/tmp/go-build1234/b001/exe/sunder"))
	require.False(t, ofGoRun.MatchString("/home/me/go/bin/sunder"))
}

// A cluster in namespaces is reached through the door that is printed.
func TestAClusterInNamespacesByHand(t *testing.T) {
	needNamespaces(t)
	for _, tool := range []string{"nsenter", "pgrep", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "no %s", tool)
		}
	}
	out := t.TempDir()
	code, said := ran(t, "", "up", "-d", "-o", out, "--nodes", "3", "--fleet", "netns")
	require.Zero(t, code, said)
	dir := filepath.Join(out, "latest")
	t.Cleanup(func() { _, _ = ran(t, "", "down", "--run", dir) })
	door := regexp.MustCompile(`(?m)^  (nsenter .*) curl (http:.*)$`).FindStringSubmatch(said)
	require.NotNil(t, door, said)
	ask := fmt.Sprintf("%s python3 -c 'import urllib.request; print(urllib.request.urlopen(%q).read())'", door[1], door[2])
	require.EventuallyWithT(t, func(c *assert.CollectT) { // a busy machine may be in an election
		answer, err := exec.Command("sh", "-c", ask).CombinedOutput()
		assert.NoError(c, err, string(answer))
		assert.Contains(c, string(answer), `"leader":"n`)
	}, 20*time.Second, 100*time.Millisecond)
}
