package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
)

// What the file says is what flags are if they are not given, and a mistake in it is named by line and column.
func TestDefaultsOfADirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(text string) { require.NoError(t, os.WriteFile(defaultsFile, []byte(text), 0o600)) }
	write("# ours\nrun:\n  nodes: 3\n  profile: fixed\n  nemesis: none\n  time-limit: 3s\n  rate: 300\n  bug: [stale-read, lease-read]\nserve: {port: 1}\n")
	code, stdout, stderr := typed(t, "run", "--rate", "400", "--seed", "1")
	require.NotEqual(t, child.Usage, code, stderr)
	require.Contains(t, stderr, "sunder run --profile fixed --bug stale-read,lease-read --nemesis none --nodes 3 --rate 400 --time-limit 3s --seed 1\n")
	require.Contains(t, stdout, "raft/register/none seed 1")

	t.Setenv(child.OwnFlagsEnv, "1")
	code, _, stderr = typed(t, "run", "--nodes", "0")
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "0 nodes", "a run that a suite makes has its own flags")
	require.NoError(t, os.Unsetenv(child.OwnFlagsEnv))

	write("run: {nemesis: none, hold: 1s}\n")
	code, _, stderr = typed(t, "run", "--schedule", "nowhere.yaml")
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "nowhere.yaml: no such file", "the file's nemesis makes room")
	write("run: [nodes\n")
	code, _, _ = typed(t, "version")
	require.Equal(t, child.Valid, code)

	for text, want := range map[string]string{
		"run:\n  nodse: 3\n":    "sunder.yaml:2:10: run.nodse: 'sunder run' has no flag --nodse",
		"run:\n  nodes: x\n":    "sunder.yaml:2:10: run.nodes: invalid argument \"x\"",
		"rnu:\n  nodes: 3\n":    "rnu: there is no command \"rnu\"",
		"run: [nodes\n":         "sunder.yaml: [1:6]",
		"run: 3\n":              "sunder.yaml: ",
		"run:\n  target:\n":     "run.target: there is nothing after it",
		"run:\n  mix: {a: 1}\n": "run.mix: a word, a number or a list",
		"run:\n  format: x\n":   "sunder.yaml:2:11: run.format: ",
	} {
		write(text)
		code, _, stderr := typed(t, "run")
		require.Equal(t, child.Usage, code)
		require.Contains(t, stderr, want)
	}
}
