package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSmallerRuns(t *testing.T) {
	var got []string
	for _, flags := range smallerRuns(map[string]string{"nemesis": "partition+kill@one=1s/1s", "time-limit": "10s", "nodes": "5", "clients": "10", "keys": "1", "bug": "x"}, 1300*time.Millisecond) {
		got = append(got, commandOf(flags))
	}
	require.Equal(t, []string{
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=2s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=none --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=kill@one=1s/1s --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=5s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=3 --time-limit=10s",
		"sunder run --bug=x --clients=5 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=10s",
	}, got)
	require.Len(t, smallerRuns(map[string]string{"nemesis": "mix", "time-limit": "2s", "nodes": "3"}, 0), 4)
	require.Empty(t, smallerRuns(map[string]string{"nemesis": "none", "time-limit": "2s", "nodes": "3", "clients": "1", "keys": "1"}, time.Second))
}

// A violation that needs next to nothing is found with next to nothing.
func TestShrink(t *testing.T) {
	t.Setenv("SUNDER_TEST_MAIN", "1")
	code, stdout, stderr := typed(t, "run", "-o", t.TempDir(), "--bug", "stale-read", "--nemesis", "none", "--time-limit", "4s", "--rate", "800", "--seed", "3", "--keys", "2")
	require.Equal(t, exitInvalid, code, "%s%s", stdout, stderr)
	dir := filepath.Dir(lastLine(stdout))
	out := filepath.Join(t.TempDir(), "shrunk")
	code, stdout, stderr = typed(t, "shrink", dir, "-o", out, "--tries", "1")
	require.Equal(t, exitValid, code, "%s%s", stdout, stderr)
	require.Contains(t, stderr, "invalid in 1 of 1 tries: sunder run --bug=stale-read")
	command, said, _ := strings.Cut(stdout, "\n")
	require.Contains(t, command, "--nodes=3")
	require.Regexp(t, `--time-limit=[123]s`, command, "the violation comes at once, or, on a busy machine, a moment later")
	require.Contains(t, command, "--seed=3")
	require.Contains(t, said, "failed in 1 of 1 tries; their reports are in "+filepath.Join(out, "index.html"))
	require.FileExists(t, filepath.Join(out, "index.html"))

	path := writeFile(t, "history.jsonl", staleJSONL)
	code, _, stderr = typed(t, "shrink", path)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "does not say how to run it again")
	path = writeFile(t, "history.jsonl", `{"at":0,"process":-3,"kind":"note","f":"test","value":{"version":1,"target":"raft"}}`+"\n"+staleJSONL)
	code, _, stderr = typed(t, "shrink", path)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "does not say how to run it again")
	code, _, stderr = typed(t, "shrink", dir, "--need", "4")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--need: from 1 to --tries, which is 3")
}

// Runs that come to no verdict say nothing about what is smaller, and a try that was not made is not counted.
func TestShrinkIsHonest(t *testing.T) {
	broken := shim(t, "echo 'no engine' >&2; exit 255")
	s := shrinker{tries: 3, need: 2, out: t.TempDir(), program: broken, say: t.Logf}
	flags := map[string]string{"nemesis": "none", "time-limit": "2s", "nodes": "3", "clients": "2", "keys": "1"}
	_, err := s.shrink(t.Context(), flags, 0)
	require.ErrorContains(t, err, "no run came to a verdict, so that nothing is known: exit code 255: no engine")
	got, err := s.try(t.Context(), flags)
	require.NoError(t, err)
	require.Equal(t, "0 of 2 tries (2 came to no verdict)", got.String(), "the third could not have made two of them invalid")

	s.program = shim(t, "exit 254")
	got, err = s.try(t.Context(), flags)
	require.NoError(t, err)
	require.Equal(t, 1, got.made, "it is no run at all")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	smallest, err := s.shrink(ctx, flags, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, flags, smallest.flags)
}
