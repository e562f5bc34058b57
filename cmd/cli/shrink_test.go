package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child"
)

// A violation that needs next to nothing is found with next to nothing.
func TestShrink(t *testing.T) {
	t.Setenv("SUNDER_TEST_MAIN", "1")
	code, stdout, stderr := typed(t, "run", "-o", t.TempDir(), "--bug", "stale-read", "--nemesis", "none", "--time-limit", "4s", "--rate", "800", "--seed", "3", "--keys", "2")
	require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
	dir := filepath.Dir(lastLine(stdout))
	out := filepath.Join(t.TempDir(), "shrunk")
	code, stdout, stderr = typed(t, "shrink", dir, "-o", out, "--tries", "1")
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stderr, "invalid in 1 of 1 tries: sunder run --bug=stale-read")
	command, said, _ := strings.Cut(stdout, "\n")
	require.Contains(t, command, "--nodes=3")
	require.Regexp(t, `--time-limit=[123]s`, command, "the violation comes at once, or, on a busy machine, a moment later")
	require.Contains(t, command, "--seed=3")
	require.Contains(t, said, "failed in 1 of 1 tries; their reports are in "+filepath.Join(out, "index.html"))
	require.FileExists(t, filepath.Join(out, "index.html"))

	path := writeFile(t, "history.jsonl", staleJSONL)
	code, _, stderr = typed(t, "shrink", path)
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "does not say how to run it again")
	path = writeFile(t, "history.jsonl", `{"at":0,"process":-3,"kind":"note","f":"test","value":{"version":1,"target":"raft"}}`+"\n"+staleJSONL)
	code, _, stderr = typed(t, "shrink", path)
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "does not say how to run it again")
	code, _, stderr = typed(t, "shrink", dir, "--need", "4")
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "--need: from 1 to --tries, which is 3")
}
