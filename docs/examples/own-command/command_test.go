package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ran runs the command, and returns its exit code and what it said.
func ran(t *testing.T, more ...string) (code int, said string) {
	program := filepath.Join(t.TempDir(), "mysunder")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.CommandContext(t.Context(), program, append([]string{
		// No sum can be had while a member cannot be reached: under delays it can, so that there are some under faults.
		"run", "--target", "tally", "--workload", "counter", "--nodes", "3", "--time-limit", "10s", "--min-rate", "10", "--seed", "1",
		"--nemesis", "partition,kill=500ms/700ms+delay:short=1s/500ms", "-o", t.TempDir(),
	}, more...)...)
	out, _ = cmd.CombinedOutput() // the code says how it ended
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestTheCommand(t *testing.T) {
	code, said := ran(t)
	require.Equal(t, 0, code, said)
	require.Contains(t, said, "sums have all of")
	code, said = ran(t, "--target-flag", "sum=reachable", "--fail-fast")
	require.Equal(t, 1, code, said)
	require.Contains(t, said, "is right")
	code, said = ran(t, "--adds", "0")
	require.Equal(t, 254, code, said)
	code, said = ran(t, "--workload", "register")
	require.Equal(t, 254, code, said)
	require.Contains(t, said, "needs kv and kv.cas, which target tally does not have")
}
