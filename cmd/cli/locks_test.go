package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports"
)

// locked are the flags of a run of locks in which holders are paused for longer than they keep what they hold.
func locked(out string, more ...string) []string {
	return append([]string{
		"run", "--profile", "fixed", "-o", out, "--time-limit", "10s", "--rate", "400", "--ttl", "1s", "--workload", "lock",
		"--nemesis", "pause@holder=2500ms/500ms", "--seed", "1", "-q",
	}, more...)
}

// The lesson: a holder that is paused does not know that another one has the lock. Without fencing that is seen by the
// clients, with it the data are safe all the same.
func TestAPausedHolder(t *testing.T) {
	out := t.TempDir()
	code, stdout, stderr := typed(t, locked(out, "--fencing=false", "--expect", "invalid:mutex")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "mutex     invalid  ")
	require.Contains(t, stdout, "as expected: invalid:mutex\n")
	page, err := os.ReadFile(lastPage(stdout))
	require.NoError(t, err)
	require.Contains(t, string(page), `class="tenure overlap"`)
	schedule := filepath.Dir(lastPage(stdout))

	// The same faults again, and the resource checks tokens.
	code, stdout, stderr = typed(t, "run", "--profile", "fixed", "-o", out, "--time-limit", "10s", "--rate", "400", "--ttl", "1s",
		"--workload", "lock", "--schedule", schedule, "--seed", "1", "-q")
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "none older than one before")

	code, _, stderr = typed(t, locked(out, "--expect", "invalid:fencing", "--nemesis", "none", "--time-limit", "3s")...)
	require.Equal(t, child.Invalid, code)
	require.Contains(t, stderr, "sunder: not as expected (invalid:fencing): a violation was expected, and none was found")
}

// lastPage is the page that a run's last lines name.
func lastPage(stdout string) string {
	for line := range strings.Lines(stdout) {
		if strings.HasSuffix(strings.TrimSpace(line), reports.HTMLFile) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// An election is the same by other words, and every target that can compare and set has it.
func TestElections(t *testing.T) {
	code, stdout, stderr := typed(t, short(t, "--workload", "election", "--nemesis", "kill@leader", "--time-limit", "8s")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "campaign ")
	require.Contains(t, stdout, "each with a higher token than the one before")
	var results struct {
		Results []checkers.Result `json:"results"`
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(lastLine(stdout)), reports.ResultsFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &results))
}

func TestLocksAreRefusedWithAReason(t *testing.T) {
	for want, args := range map[string][]string{
		"pause@holder is aimed at clients that hold something":              {"--nemesis", "pause@holder"},
		`there is no recipe "magic"; known are own and lease`:               {"--workload", "lock", "--recipe", "magic"},
		`--expect: a run is expected to be valid, invalid or invalid:CHECK`: {"--expect", "green"},
		`--expect: unknown checker "mutx"`:                                  {"--expect", "invalid:mutx"},
		"--fencing is an option of workload election and workload lock":     {"--fencing"},
	} {
		code, _, stderr := typed(t, append([]string{"run", "-o", t.TempDir()}, args...)...)
		require.Equal(t, child.Usage, code, stderr)
		require.Contains(t, stderr, want)
	}
	for want, args := range map[string][]string{
		"guardd: config: ":       {"guardd", "{"},
		"holderd: config: ":      {"holderd", "{"},
		`unknown target "magic"`: {"holderd", `{"target":"magic"}`},
	} {
		code, _, stderr := typed(t, args...)
		require.Equal(t, child.Usage, code)
		require.Contains(t, strings.ReplaceAll(stderr, "sunder: config", args[0]+": config"), want)
	}
}
