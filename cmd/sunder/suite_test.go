package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/suite"
	"github.com/sunder-dev/sunder/reports"
)

// The suites that come with sunder are runs that sunder knows, and the bugs suite has every bug's hunt.
func TestEmbeddedSuites(t *testing.T) {
	require.ElementsMatch(t, []string{"smoke", "nightly", "bugs"}, suiteNames())
	for _, name := range suiteNames() {
		s, err := readSuite(name)
		require.NoError(t, err)
		require.NotEmpty(t, s.About)
		require.NotEmpty(t, s.Cells)
	}
	s, err := readSuite("bugs")
	require.NoError(t, err)
	var planted []string
	for _, c := range s.Cells {
		require.Equal(t, suite.Invalid, c.Expect)
		planted = append(planted, c.Flags["bug"])
	}
	var hunted []string
	for _, h := range hunts {
		hunted = append(hunted, h.bug)
	}
	require.ElementsMatch(t, hunted, planted)
}

// A suite says what passed and what did not, in all the ways that people and programs look, and a bug that is not found
// is a failure.
func TestSuite(t *testing.T) {
	t.Setenv("SUNDER_TEST_MAIN", "1") // the runs are this binary's
	t.Setenv("GITHUB_ACTIONS", "true")
	summary := filepath.Join(t.TempDir(), "summary.md")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	file := writeFile(t, "mine.yaml", `
flags: {time-limit: 3s, rate: 300, hold: 400ms, rest: 300ms}
runs:
  - nemesis: none
    flags: {bug: stale-read}
    expect: invalid
  - nemesis: none
    expect: invalid
  - nemesis: none
    flags: {target-flag: election-timeout=1m, launch-timeout: 1s}
`)
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, stderr := sunder(t, "suite", file, "-o", out, "--jobs", "3")
	require.Equal(t, exitInvalid, code, "%s%s", stdout, stderr)
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
	index, err := os.ReadFile(filepath.Join(out, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(index), "cells are not green")
	s, err := reports.ReadSuite(out)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(out, s.Outcomes[0].Dir, "report.html"))
	require.Contains(t, s.Outcomes[2].Why, "does not serve")

	// It does not write over what it left.
	code, _, stderr = sunder(t, "suite", file, "-o", out)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "has the runs of a suite already")

	// Shards are joined as if they had been one.
	merged := filepath.Join(t.TempDir(), "merged")
	code, stdout, stderr = sunder(t, "merge", merged, out)
	require.Equal(t, exitInvalid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "mine: 1 passed, 1 failed, 0 unknown, 1 errors")
	require.FileExists(t, filepath.Join(merged, s.Outcomes[0].Dir, "report.html"))
}

// What there is no time for is not run, which is no pass.
func TestSuiteBudget(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, _ := sunder(t, "suite", "smoke", "--only", "/local/", "--time-budget", "1s", "-o", out, "--format", "json")
	require.Equal(t, exitUnknown, code)
	var s reports.Suite
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.Equal(t, len(s.Outcomes), s.Count(reports.NotRun))
	require.Less(t, s.Took, time.Minute)

	for want, args := range map[string][]string{
		"suites that come with sunder are bugs, nightly, smoke": {"suite", "dayly"}, "a part is i/n": {"suite", "smoke", "--shard", "3/2"},
		"no run matches": {"suite", "smoke", "--only", "mysql"}, "--jobs: at least 1": {"suite", "smoke", "--jobs", "0"},
		"mine.yaml:2:13: sunder run has no flag --bugg": {"suite", writeFile(t, "mine.yaml", "flags:\n  bugg:     x\nruns: [{seed: 1}]")},
		"unknown target \"mysql\"":                      {"suite", writeFile(t, "mine.yaml", "runs: [{target: mysql}]")},
		"--format: text or json":                        {"suite", "smoke", "--format", "xml"},
		"no such file":                                  {"merge", t.TempDir(), t.TempDir()},
	} {
		code, _, stderr := sunder(t, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		require.Contains(t, strings.ReplaceAll(stderr, "\n", " "), want)
	}
	code, stdout, _ = sunder(t, "suite", "smoke", "--list", "--seed", "41", "--only", "stale-read")
	require.Equal(t, exitValid, code)
	require.Equal(t, "invalid  raft/local/register/none bug=stale-read seed 42\n", stdout)
}
