package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
)

// The suites that come with sunder are runs that sunder knows, and the bugs suite has every bug's hunt.
func TestEmbeddedSuites(t *testing.T) {
	require.ElementsMatch(t, []string{"smoke", "nightly", "bugs"}, app{Catalogue: Default()}.suiteNames())
	for _, name := range (app{Catalogue: Default()}).suiteNames() {
		s, err := app{Catalogue: Default()}.readSuite(name)
		require.NoError(t, err)
		require.NotEmpty(t, s.About)
		require.NotEmpty(t, s.Cells)
	}
	s, err := app{Catalogue: Default()}.readSuite("bugs")
	require.NoError(t, err)
	var planted []string
	for _, c := range s.Cells {
		require.Equal(t, reports.ExpectInvalid, c.Expect)
		planted = append(planted, c.Flags["bug"])
	}
	var named []string
	for _, b := range (app{Catalogue: Default()}).hunted() {
		named = append(named, b.Name)
	}
	require.ElementsMatch(t, named, planted)
}

// A suite says what passed and what did not, in all the ways that people and programs look, and a bug that is not found
// is a failure.
func TestSuite(t *testing.T) {
	t.Setenv("SUNDER_TEST_MAIN", "1") // the runs are this binary's
	t.Setenv("GITHUB_ACTIONS", "true")
	summary := filepath.Join(t.TempDir(), "summary.md")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	file := writeFile(t, "mine.yaml", `
flags: {time-limit: 3s, rate: 300, mix: "read=60,write=40", hold: 400ms, rest: 300ms}
runs:
  - nemesis: none
    flags: {bug: stale-read}
    expect: invalid
  - nemesis: none
    expect: invalid
  - nemesis: none
    flags: {target-flag: election-timeout=1m, launch-timeout: 1s}
`)
	above := t.TempDir()
	require.NoError(t, index.Write(above))
	out := filepath.Join(above, "out")
	code, stdout, stderr := typed(t, "suite", file, "-o", out, "--jobs", "3")
	require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "mine: 1 passed, 1 failed, 0 unknown, 1 errors, 0 not run")
	require.Contains(t, stdout, "a violation was expected, and none was found")
	require.Equal(t, filepath.Join(out, "index.html"), lastLine(stdout))
	require.Contains(t, stderr, "bug=stale-read seed 1 (invalid, as expected)")
	require.Contains(t, stderr, "::error title=raft/auto/register/none seed 1::failed: a violation was expected")
	for _, path := range []string{summary, filepath.Join(out, "summary.md")} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(text), "## ❌ mine: failed")
	}
	junit, err := os.ReadFile(filepath.Join(out, "junit.xml"))
	require.NoError(t, err)
	require.Contains(t, string(junit), `tests="3" failures="1" errors="1"`)
	for _, dir := range []string{out, above} {
		index, err := os.ReadFile(filepath.Join(dir, "index.html"))
		require.NoError(t, err)
		require.Contains(t, string(index), "cells are not green")
	}
	s, err := reports.ReadSuite(out)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(out, s.Outcomes[0].Dir, "report.html"))
	require.Contains(t, s.Outcomes[2].Why, "does not serve")

	// It does not write over what it left.
	code, _, stderr = typed(t, "suite", file, "-o", out)
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "has the runs of a suite already")

	// Merged, it is what it was.
	merged := filepath.Join(t.TempDir(), "merged")
	code, stdout, stderr = typed(t, "merge", merged, out)
	require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "mine: 1 passed, 1 failed, 0 unknown, 1 errors")
	require.FileExists(t, filepath.Join(merged, s.Outcomes[0].Dir, "report.html"))
}

// Ctrl-C reaches every process of the terminal's. The run that is under way is judged and reported all the same, and
// what was found before stands.
func TestAnInterruptedSuite(t *testing.T) {
	file := writeFile(t, "mine.yaml", `
flags: {time-limit: 60s, rate: 300}
runs:
  - nemesis: none
    seed: [1, 2]
`)
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "suite", file, "-o", out)
	cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1", "GITHUB_ACTIONS=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		found, err := filepath.Glob(filepath.Join(out, "*", "history.jsonl"))
		require.NoError(t, err)
		for _, path := range found {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			if strings.Count(string(text), `"kind":"ok"`) > 50 {
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond)
	s, err := reports.ReadSuite(out)
	require.NoError(t, err, "there is one while it runs")
	require.Equal(t, 2, s.Count(reports.NotRun))

	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	require.Error(t, cmd.Wait())
	require.Equal(t, child.Interrupted, cmd.ProcessState.ExitCode())
	s, err = reports.ReadSuite(out)
	require.NoError(t, err)
	require.Equal(t, 2, s.Count(reports.NotRun))
	require.Equal(t, "the suite was interrupted", s.Outcomes[0].Why)
	require.FileExists(t, filepath.Join(out, s.Outcomes[0].Dir, "report.html"))
	require.FileExists(t, filepath.Join(out, "junit.xml"))
}

// Two runs that begin at once have a directory each.
func TestRunDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "x")
	for _, want := range []string{dir, dir + "-2", dir + "-3"} {
		got, err := sunder.MakeDir(dir)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	// What cannot be launched leaves no directory.
	out := t.TempDir()
	t.Setenv("DOCKER_HOST", "unix:///nowhere")
	code, _, _ := typed(t, "run", "--target", "etcd", "--fleet", "docker", "-o", out)
	require.Equal(t, child.Error, code)
	entries, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestOneLine(t *testing.T) {
	require.Equal(t, "x ::error::injected [31m y", oneLine("x\n::error::injected\r\n\x1b[31m\u0085y\u2028"))
}

// What there is no time for is not run, which is no pass.
func TestSuiteBudget(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, _ := typed(t, "suite", "smoke", "--only", "/local/", "--time-budget", "1s", "-o", out, "--format", "json")
	require.Equal(t, child.Unknown, code)
	var s reports.Suite
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.Equal(t, len(s.Outcomes), s.Count(reports.NotRun))
	require.Less(t, s.Took, time.Minute)

	for want, args := range map[string][]string{
		"suites that come with sunder are bugs, nightly, smoke": {"suite", "dayly"}, "a part is i/n": {"suite", "smoke", "--shard", "3/2"},
		"no run matches": {"suite", "smoke", "--only", "mysql"}, "--jobs: at least 1": {"suite", "smoke", "--jobs", "0"},
		"mine.yaml:2:13: sunder run has no flag --bugg": {"suite", writeFile(t, "mine.yaml", "flags:\n  bugg:     x\nruns: [{seed: 1}]")},
		"unknown target \"mysql\"":                      {"suite", writeFile(t, "mine.yaml", "runs: [{target: mysql}]")},
		"text or json, not":                             {"suite", "smoke", "--format", "xml"},
		"does not exist":                                {"merge", t.TempDir() + "/x", t.TempDir() + "/nowhere"},
		"--time-budget: a time from 0":                  {"suite", "smoke", "--time-budget", "-5s"},
	} {
		code, _, stderr := typed(t, args...)
		require.Equal(t, child.Usage, code, "%v: %s", args, stderr)
		require.Contains(t, strings.ReplaceAll(stderr, "\n", " "), want)
	}
	code, stdout, _ = typed(t, "suite", "smoke", "--list", "--seed", "41", "--only", "stale-read")
	require.Equal(t, child.Valid, code)
	require.Equal(t, "invalid  raft/local/register/none bug=stale-read time-limit=5s seed 42\n", stdout)
}
