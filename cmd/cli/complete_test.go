package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Shells complete the values of flags, with what there is.
func TestCompletion(t *testing.T) {
	for flag, want := range map[string]string{
		"--target": "raft\n", "--fleet": "auto\n", "--workload": "register\n", "--nemesis": "partition\n", "--profile": "swarm\n",
		"--bug": "stale-read\treads are served", "--format": "json\n", "--load": "tides\n",
	} {
		_, stdout, _ := typed(t, "__complete", "run", flag, "")
		require.Contains(t, stdout, want, flag)
	}
	_, stdout, _ := typed(t, "__complete", "check", "--checker", "")
	require.Contains(t, stdout, "linear\n")
}
