package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
)

// theStore is the example of a system that a file describes.
const theStore = "../../docs/examples/python/store.yaml"

// A system in another language is tested as it stands, and its mistake is found by the settings that found none before.
func TestADescribedSystem(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, "no python3: %v", err)
	}
	args := []string{
		"--target", theStore, "--mix", "read=50,write=50", "--nodes", "3", "--nemesis", "partition+kill", "--min-rate", "10",
	}
	code, stdout, stderr := typed(t, short(t, args...)...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "VALID  store/register/partition+kill seed 1")
	require.Contains(t, stderr, "\nfleet local: ")

	code, stdout, stderr = typed(t, short(t, append(args, "--target-flag", "reads=local")...)...)
	require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "is not linearizable")

	code, stdout, stderr = typed(t, short(t, append(args, "--target-flag", "reads=loacl")...)...)
	require.Equal(t, child.Error, code, "%s%s", stdout, stderr)
	require.Contains(t, stderr, "invalid choice: 'loacl'", "what a node says as it ends")
}

// So is one that is called by a program of its own, and one that was written for Maelstrom.
func TestDriversAndProgramsForMaelstrom(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, "no python3: %v", err)
	}
	for _, example := range []string{"python/driven.yaml", "maelstrom/register.yaml"} {
		t.Run(example, func(t *testing.T) {
			args := []string{
				"--target", "../../docs/examples/" + example, "--mix", "read=90,write=10", "--nodes", "3",
				"--nemesis", "partition:isolate", "--hold", "1s", "--min-rate", "10",
			}
			code, stdout, stderr := typed(t, short(t, args...)...)
			require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)

			code, stdout, stderr = typed(t, short(t, append(args, "--target-flag", "reads=local")...)...)
			require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
			require.Contains(t, stdout, "is not linearizable")
		})
	}
	code, _, stderr := typed(t, short(t, "--target", "../../docs/examples/maelstrom/register.yaml", "--nemesis", "kill")...)
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "--nemesis: nemesis kill needs node.kill, which target register does not promise to come through")
}

func TestWrongDescriptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db.yaml")
	require.NoError(t, os.WriteFile(file, []byte("name: db\nprogram: sh\nread: {method: GET}\n"), 0o600))
	taken := filepath.Join(t.TempDir(), "etcd.yaml")
	text, err := os.ReadFile(theStore)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(taken, []byte(strings.Replace(string(text), "name: store\n", "", 1)), 0o600))
	for want, args := range map[string][]string{
		"etcd.yaml: name: etcd is another target": {"--target", taken},
		file + ":3:7: read.path: ":                {"--target", file},
		"nowhere.yaml: no such file":              {"--target", "nowhere.yaml"},
		"workload register needs kv.cas, which target store does not have; --mix read=50,write=50 does without": {
			"--target", theStore,
		},
		"the target's program is one of this machine": {
			"--target", theStore, "--mix", "read=50,write=50", "--fleet", "docker",
		},
		"--program is for targets that sunder builds; this one says itself which program of this machine it is": {
			"--target", theStore, "--mix", "read=50,write=50", "--fleet", "netns", "--program", "/bin/true",
		},
		"no bugs can be planted in store": {"--target", theStore, "--bug", "stale-read"},
	} {
		code, _, stderr := typed(t, append([]string{"run", "-o", t.TempDir()}, args...)...)
		require.Equal(t, child.Usage, code, stderr)
		require.Contains(t, stderr, want)
	}
}

func TestDescribedProgramsAreNotBuilt(t *testing.T) {
	code, _, stderr := typed(t, "build", theStore)
	require.Equal(t, child.Usage, code, stderr)
	require.Contains(t, stderr, "the program of store is one of this machine")
}
