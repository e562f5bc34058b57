package cli

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
)

// leave leaves a part of a suite with one run of its own.
func leave(t *testing.T, part, parts int, status reports.Status) string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "run"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run", "note"), []byte(status), 0o644))
	s := reports.Suite{Name: "night", Part: part, Parts: parts, Started: time.Date(2026, 11, 22, part, 0, 0, 0, time.UTC)}
	s.Outcomes = append(s.Outcomes, reports.Outcome{Name: string(status), Status: status, Dir: "run"})
	require.NoError(t, index.WriteSuite(dir, s))
	return dir
}

// A merge forgets nothing: no part, no run, and nothing that was there before.
func TestMergeLosesNothing(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	failed, passed, also := leave(t, 1, 3, reports.Failed), leave(t, 2, 3, reports.Passed), leave(t, 3, 3, reports.Passed)
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, _ := typed(t, "merge", out, failed, passed, also)
	require.Equal(t, child.Invalid, code)
	require.Contains(t, stdout, "night: 2 passed, 1 failed, 0 unknown, 0 errors, 0 not run")
	s, err := reports.ReadSuite(out)
	require.NoError(t, err)
	for _, o := range s.Outcomes { // the parts' runs had the same name
		note, err := os.ReadFile(filepath.Join(out, o.Dir, "note"))
		require.NoError(t, err)
		require.Equal(t, o.Name, string(note))
	}

	for _, args := range [][]string{{failed, passed, also}, {out, passed, also}} { // the first is one that is there
		code, _, stderr := typed(t, append([]string{"merge"}, args...)...)
		require.Equal(t, child.Usage, code)
		require.Contains(t, stderr, "is there already, and not empty")
	}
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), passed, also)
	require.Equal(t, child.Error, code, "a part is missing")
	require.Contains(t, stdout, "part 1 of night")

	dead := t.TempDir() // nothing is left of it
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), leave(t, 0, 0, reports.Passed), dead)
	require.Equal(t, child.Error, code)
	require.Contains(t, stdout, "the suite left nothing: ")

	code, _, stderr := typed(t, "merge", filepath.Join(t.TempDir(), "x"), passed, passed)
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "are the same part of night")

	code, _, stderr = typed(t, "merge", filepath.Join(t.TempDir(), "x"), leave(t, 1, 2, reports.Passed), leave(t, 3, 3, reports.Passed))
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "in 2 and in 3 parts: their runs overlap")

	// A pipe is no evidence, and what cannot be copied costs no verdict.
	odd := leave(t, 0, 0, reports.Failed)
	require.NoError(t, syscall.Mkfifo(filepath.Join(odd, "run", "pipe"), 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(odd, "run", "a-link")))
	out = filepath.Join(t.TempDir(), "x")
	code, stdout, _ = typed(t, "merge", out, odd)
	require.Equal(t, child.Invalid, code)
	require.Contains(t, stdout, "0 passed, 1 failed, 0 unknown, 0 errors")
	link, err := os.Readlink(filepath.Join(out, "run", "a-link"))
	require.NoError(t, err)
	require.Equal(t, "nowhere", link)

	spoiled := leave(t, 0, 0, "crashed")
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), spoiled)
	require.Equal(t, child.Error, code)
	require.Contains(t, stdout, `has the status "crashed", which is none`)
}
