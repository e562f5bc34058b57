package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/cmd/suite"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
	"github.com/sunder-dev/sunder/targets/raft"
)

// The suites that come with sunder are runs that sunder knows, and the bugs suite has every bug's hunt.
func TestEmbeddedSuites(t *testing.T) {
	require.ElementsMatch(t, []string{"smoke", "nightly", "bugs"}, app{Default()}.suiteNames())
	for _, name := range (app{Default()}).suiteNames() {
		s, err := app{Default()}.readSuite(name)
		require.NoError(t, err)
		require.NotEmpty(t, s.About)
		require.NotEmpty(t, s.Cells)
	}
	s, err := app{Default()}.readSuite("bugs")
	require.NoError(t, err)
	var planted []string
	for _, c := range s.Cells {
		require.Equal(t, suite.Invalid, c.Expect)
		planted = append(planted, c.Flags["bug"])
	}
	require.ElementsMatch(t, raft.BugNames(), planted)
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
	above := t.TempDir()
	require.NoError(t, index.Write(above))
	out := filepath.Join(above, "out")
	code, stdout, stderr := typed(t, "suite", file, "-o", out, "--jobs", "3")
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
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "has the runs of a suite already")

	// Merged, it is what it was.
	merged := filepath.Join(t.TempDir(), "merged")
	code, stdout, stderr = typed(t, "merge", merged, out)
	require.Equal(t, exitInvalid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "mine: 1 passed, 1 failed, 0 unknown, 1 errors")
	require.FileExists(t, filepath.Join(merged, s.Outcomes[0].Dir, "report.html"))
}

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
	require.Equal(t, exitInvalid, code)
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
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "is there already, and not empty")
	}
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), passed, also)
	require.Equal(t, exitError, code, "a part is missing")
	require.Contains(t, stdout, "part 1 of night")

	dead := t.TempDir() // nothing is left of it
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), leave(t, 0, 0, reports.Passed), dead)
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, "the suite left nothing: ")

	code, _, stderr := typed(t, "merge", filepath.Join(t.TempDir(), "x"), passed, passed)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "are the same part of night")

	code, _, stderr = typed(t, "merge", filepath.Join(t.TempDir(), "x"), leave(t, 1, 2, reports.Passed), leave(t, 3, 3, reports.Passed))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "in 2 and in 3 parts: their runs overlap")

	// A pipe is no evidence, and what cannot be copied costs no verdict.
	odd := leave(t, 0, 0, reports.Failed)
	require.NoError(t, syscall.Mkfifo(filepath.Join(odd, "run", "pipe"), 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(odd, "run", "a-link")))
	out = filepath.Join(t.TempDir(), "x")
	code, stdout, _ = typed(t, "merge", out, odd)
	require.Equal(t, exitInvalid, code)
	require.Contains(t, stdout, "0 passed, 1 failed, 0 unknown, 0 errors")
	link, err := os.Readlink(filepath.Join(out, "run", "a-link"))
	require.NoError(t, err)
	require.Equal(t, "nowhere", link)
	require.Error(t, copyTree(t.TempDir(), filepath.Join(odd, "not-there")))

	spoiled := leave(t, 0, 0, "crashed")
	code, stdout, _ = typed(t, "merge", filepath.Join(t.TempDir(), "x"), spoiled)
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, `has the status "crashed", which is none`)
}

// shim is a program that stands in for a run.
func shim(t *testing.T, script string) string {
	path := filepath.Join(t.TempDir(), "shim")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	return path
}

// What a run came to is what its results say; an exit code alone proves nothing.
func TestRunCell(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		expect  suite.Expectation
		results string
		want    reports.Status
		why     string
	}{
		"exit 1 without results":     {"echo fatal >&2; exit 1", suite.Invalid, "", reports.Broken, "exit code 1 and no verdict: fatal"},
		"exit 0 without results":     {"exit 0", suite.Valid, "", reports.Broken, "exit code 0 and no verdict"},
		"a crash of Go":              {"echo 'panic: in a goroutine' >&2; exit 2", suite.Valid, "", reports.Broken, "panic: in a goroutine"},
		"killed":                     {"kill -9 $$", suite.Valid, "", reports.Broken, "signal: killed"},
		"valid":                      {"exit 0", suite.Valid, "valid", reports.Passed, "why"},
		"invalid":                    {"exit 1", suite.Valid, "invalid", reports.Failed, "why"},
		"invalid, as expected":       {"exit 1", suite.Invalid, "invalid", reports.Passed, "why"},
		"valid, but it was expected": {"exit 0", suite.Invalid, "valid", reports.Failed, "a violation was expected, and none was found"},
		"unknown":                    {"exit 2", suite.Invalid, "unknown", reports.Unknown, "why"},
		"they differ":                {"exit 0", suite.Invalid, "invalid", reports.Broken, "why"},
		"invalid, however it ended":  {"kill -9 $$", suite.Valid, "invalid", reports.Failed, "why"},
		"no results that are any":    {"exit 0", suite.Valid, "purple", reports.Broken, "is no verdict"},
		"interrupted by itself":      {"exit 130", suite.Valid, "valid", reports.Broken, "why"},
	} {
		out, script := t.TempDir(), ""
		if c.results != "" {
			script += fmt.Sprintf("mkdir %[1]s/run; echo '{\"summary\":{\"target\":\"raft\",\"verdict\":\"%[2]s\",\"why\":\"why\",\"command\":\"again\"}}' > %[1]s/run/results.json; echo %[1]s/run/report.html\n", out, c.results)
		}
		o := (app{Default()}).runCell(t.Context(), shim(t, script+c.script), out, suite.Cell{Expect: c.expect}, reports.Outcome{})
		require.Equal(t, c.want, o.Status, name)
		require.Contains(t, o.Why, c.why, name)
	}
}

// A terminal's Ctrl-C goes to the whole group of processes. Runs are in one of their own, as they are told by the suite,
// and a second signal would end them at once.
func TestRunsHaveAGroupOfTheirOwn(t *testing.T) {
	end, err := runChild(t.Context(), shim(t, "cut -d' ' -f5 /proc/$$/stat >&2"), t.TempDir(), nil) // pgrp, proc(5)
	require.NoError(t, err)
	require.NotEqual(t, fmt.Sprint(syscall.Getpgrp()), end.stderr)
	require.Regexp(t, `^\d+$`, end.stderr)
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
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
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
	code, _, _ := typed(t, "run", "--target", "etcd", "-o", out)
	require.Equal(t, exitError, code)
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
		"does not exist":                                {"merge", t.TempDir() + "/x", t.TempDir() + "/nowhere"},
		"--time-budget: a time from 0":                  {"suite", "smoke", "--time-budget", "-5s"},
	} {
		code, _, stderr := typed(t, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		require.Contains(t, strings.ReplaceAll(stderr, "\n", " "), want)
	}
	code, stdout, _ = typed(t, "suite", "smoke", "--list", "--seed", "41", "--only", "stale-read")
	require.Equal(t, exitValid, code)
	require.Equal(t, "invalid  raft/local/register/none bug=stale-read time-limit=5s seed 42\n", stdout)
}
