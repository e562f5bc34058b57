package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness/fleet/netns"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/targets/raft"
)

// The test binary is also the node that runs launch, and a controller that can be killed.
func TestMain(m *testing.M) {
	netns.Arrive()
	inside := netns.Inside() && !strings.HasPrefix(os.Args[1], "-test.")
	if len(os.Args) > 1 && (launched(os.Args[1]) || os.Getenv("SUNDER_TEST_MAIN") != "" || inside) {
		Main(Default())
		return
	}
	goleak.VerifyTestMain(m)
}

// launched reports whether a subcommand is one that fleets launch nodes by.
func launched(subcommand string) bool {
	names := []string{"maelstromd", "holderd", "guardd"}
	for _, entry := range Default().Targets {
		if entry.Role != nil {
			names = append(names, entry.Role.Name)
		}
	}
	return slices.Contains(names, subcommand)
}

// typed runs a command line in this process.
func typed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Execute(t.Context(), Default(), args, &out, &err)
	return code, out.String(), err.String()
}

// short are the flags of a run that is over soon.
func short(t *testing.T, more ...string) []string {
	return append([]string{"run", "--profile", "fixed", "-o", t.TempDir(), "--time-limit", "6s", "--rate", "400", "--hold", "400ms", "--rest", "600ms", "--seed", "1"}, more...)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestARunOfTheRightRaft(t *testing.T) {
	code, stdout, stderr := typed(t, short(t)...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "VALID  raft/register/mix seed 1")
	require.True(t, strings.HasPrefix(stderr, "sunder run --profile fixed --hold 400ms --nemesis mix --rate 400 --rest 600ms --time-limit 6s --seed 1\n"), stderr)

	report := lastLine(stdout)
	dir := filepath.Dir(report)
	for _, name := range []string{"report.html", "results.json", "test.json", "history.jsonl.zst", "logs/n5.log"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	require.NoDirExists(t, filepath.Join(dir, "data"), "a valid run needs no nodes' data")
	require.FileExists(t, filepath.Join(filepath.Dir(dir), reports.IndexFile))
	latest, err := os.Readlink(filepath.Join(filepath.Dir(dir), "latest"))
	require.NoError(t, err)
	require.Equal(t, filepath.Base(dir), latest)

	// The same history has the same verdict, offline and again.
	times := regexp.MustCompile(`\(\d+\.\d\d s\)`)
	judged, _, _ := strings.Cut(times.ReplaceAllString(stdout, ""), "VALID")
	code, again, _ := typed(t, "check", dir)
	require.Equal(t, child.Valid, code)
	require.Contains(t, times.ReplaceAllString(again, ""), judged)
	require.NoError(t, os.Remove(report))
	code, again, _ = typed(t, "report", dir)
	require.Equal(t, child.Valid, code)
	require.Equal(t, report, lastLine(again))
	require.FileExists(t, report)
}

// The failing path is the product: a violation goes all the way to the picture.
func TestPlantedBugsAreFound(t *testing.T) {
	for _, c := range []struct{ bug, nemesis, says string }{
		{"stale-read", "none", "not linearizable"},
		{"cas-unchecked", "none", "not linearizable"},
		{"ack-before-fsync", "kill@all", "not linearizable"},
	} {
		t.Run(c.bug, func(t *testing.T) {
			code, stdout, stderr := typed(t, short(t, "--bug", c.bug, "--nemesis", c.nemesis)...)
			require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
			require.Contains(t, stdout, c.says)
			require.Contains(t, stdout, "INVALID")
			require.Contains(t, stdout, "\n    ! ", "the text picture")
			page, err := os.ReadFile(lastLine(stdout))
			require.NoError(t, err)
			require.Contains(t, string(page), "✗ INVALID")
			require.Contains(t, string(page), "✗ impossible", "the drawn picture")
			code, _, _ = typed(t, "check", filepath.Dir(lastLine(stdout)))
			require.Equal(t, child.Invalid, code)
			require.DirExists(t, filepath.Join(filepath.Dir(lastLine(stdout)), "data"), "evidence")
		})
	}
}

// For programs there is one document on standard output, and nothing else.
func TestRunForPrograms(t *testing.T) {
	out := t.TempDir()
	code, stdout, stderr := typed(t, short(t, "--format", "json", "--bug", "stale-read", "--nemesis", "none", "-o", out)...)
	require.Equal(t, child.Invalid, code, stderr)
	var got struct {
		Dir     string
		Verdict checkers.Verdict
		Summary reports.Summary
		Results []checkers.Result
	}
	d := json.NewDecoder(strings.NewReader(stdout))
	require.NoError(t, d.Decode(&got))
	require.False(t, d.More())
	require.Equal(t, checkers.Invalid, got.Verdict)
	require.Equal(t, "stale-read", got.Summary.Bug)
	require.FileExists(t, filepath.Join(got.Dir, "report.html"))
	require.NotContains(t, got.Summary.Command, "--format")
	require.Contains(t, stderr, "INVALID  raft/register/none seed 1")

	// The index over it is renewed with the report, and by itself.
	index := filepath.Join(out, "index.html")
	for _, of := range []string{"", got.Dir, out} {
		if of != "" {
			require.NoError(t, os.WriteFile(index, []byte(`<meta name="generator" content="sunder">`), 0o644))
			_, stdout, stderr = typed(t, "report", of)
			require.FileExists(t, lastLine(stdout), stderr)
		}
		page, err := os.ReadFile(index)
		require.NoError(t, err)
		require.Contains(t, string(page), "all 1 cells are green", "the bug was planted")
	}
}

// One node is a cluster too: it has nobody to differ from.
func TestOneNode(t *testing.T) {
	code, stdout, stderr := typed(t, short(t, "--nodes", "1", "--nemesis", "kill,pause")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.NotContains(t, stdout, "state")
}

// A mix of compare-and-sets alone gives its keys something to compare.
func TestCompareAndSetsAlone(t *testing.T) {
	code, stdout, stderr := typed(t, short(t, "--mix", "cas=1", "--nemesis", "none")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Regexp(t, `stats +valid +cas [1-9]\d+ ok`, stdout)
}

// A planted bug that is not found is said, with the command that finds it: by the exit code, in words, and in the
// index.
func TestAMissedBug(t *testing.T) {
	out := t.TempDir()
	code, stdout, stderr := typed(t, short(t, "--bug", "forget-vote", "--nemesis", "none", "-o", out)...)
	require.Equal(t, child.Unknown, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "the planted bug forget-vote was not found: this run is made to find it: "+(app{Catalogue: Default()}).huntOf([]string{"forget-vote"}))
	require.Contains(t, stdout, "UNKNOWN  raft/register/none seed 1")
	page, err := os.ReadFile(filepath.Join(out, reports.IndexFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "unknown")
	require.Contains(t, string(page), "the planted bug forget-vote was not found")

	code, stdout, _ = typed(t, "list", "bugs")
	require.Equal(t, child.Valid, code)
	for _, bug := range raft.Bugs() {
		require.Contains(t, stdout, bug.About)
		require.Regexp(t, `sunder run --target raft --bug `+bug.Name+`\s`, stdout)
	}
}

// Results that cannot be written are an error, leave no half of a file, and nothing that is not there is named.
func TestAFullDisk(t *testing.T) {
	out := t.TempDir()
	cmd := exec.Command("sh", "-c", `ulimit -f 24; exec "$0" "$@"`, os.Args[0], "run", "--profile", "fixed", "-q", "-o", out, "--nodes", "3", "--nemesis", "none", "--rate", "10", "--clients", "3", "--keys", "1",
		"--time-limit", "3s", "--seed", "3")
	cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &exit)
	require.Equal(t, child.Error, exit.ExitCode(), "%s%s", &stdout, &stderr)
	require.Contains(t, stderr.String(), "the results cannot be written")
	require.NotContains(t, stdout.String(), "report.html")
	files, err := filepath.Glob(filepath.Join(out, "*", "*"))
	require.NoError(t, err)
	for _, path := range files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.NotZero(t, info.Size(), path)
		require.NotContains(t, path, ".next-")
		require.NotContains(t, path, ".tmp")
	}
}

// A second signal ends us at once, and says what is left.
func TestASecondInterrupt(t *testing.T) {
	c := startController(t)
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	require.ErrorAs(t, c.cmd.Wait(), &exit)
	require.Equal(t, child.Interrupted, exit.ExitCode())
	require.Contains(t, c.stderr.String(), "'sunder clean' removes them")
	require.Eventually(t, func() bool { return len(c.nodes(t)) == 0 }, 2*time.Second, 10*time.Millisecond)
	code, stdout, _ := typed(t, "check", c.dir)
	require.Equal(t, child.Unknown, code, stdout)
}

// A cluster that never serves is no violation and no pass.
func TestAClusterThatDoesNotServe(t *testing.T) {
	code, stdout, stderr := typed(t, short(t, "--target-flag", "election-timeout=1m", "--launch-timeout", "1s")...)
	require.Equal(t, child.Error, code)
	require.Contains(t, stderr, "the cluster does not serve")
	require.Contains(t, stdout, "the cluster never served")
	require.Contains(t, stdout, "the run ended early")
	require.FileExists(t, lastLine(stdout))
}

func TestBadUsage(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "history.jsonl")
	require.NoError(t, os.WriteFile(bad, []byte("{\"at\":1}\nhello\n"), 0o644))
	plan := filepath.Join(dir, "plan.yaml")
	require.NoError(t, os.WriteFile(plan, []byte("faults:\n  - at 5s isolate leader for 3s\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"command":       {[]string{"walk"}, "there is no command"},
		"profile":       {[]string{"run", "--profile", "calm"}, `unknown profile "calm"; known are fixed, swarm`},
		"rhythm":        {[]string{"run", "--nemesis", "watch", "--hold", "1s"}, "watch decides for itself"},
		"rate of tides": {[]string{"run", "--load", "tides", "--rate", "9"}, "--rate is of --load steady"},
		"load":          {[]string{"run", "--load", "heavy"}, `--load: steady or tides, not "heavy"`},
		"flag":          {[]string{"run", "--nods", "3"}, "unknown flag: --nods"},
		"value":         {[]string{"run", "--nodes", "three"}, `invalid argument "three"`},
		"argument":      {[]string{"run", "raft"}, "unknown command"},
		"target":        {[]string{"run", "--target", "zab"}, `unknown target "zab"; known are `},
		"fleet":         {[]string{"run", "--fleet", "armada"}, `unknown fleet "armada"; known are `},
		"workload":      {[]string{"run", "--workload", "queue"}, `unknown workload "queue"`},
		"nemesis":       {[]string{"run", "--nemesis", "flood"}, `unknown family "flood"`},
		"nodes":         {[]string{"run", "--nodes", "0"}, "0 nodes: at least 1"},
		"output":        {[]string{"run", "--format", "xml"}, `text or json, not "xml"`},
		"bug":           {[]string{"run", "--bug", "beetle"}, `unknown bug "beetle"`},
		"mix":           {[]string{"run", "--mix", "append=1"}, `unknown operation "append"`},
		"target flag":   {[]string{"run", "--target-flag", "fsync=false"}, `a node has no flag "fsync"`},
		"version":       {[]string{"run", "--target", "etcd@v2.3"}, `etcd has no version "v2.3"; one is written like v3.6.16`},
		"own":           {[]string{"run", "--target", "raft@v1"}, "raft has no versions"},
		"local etcd":    {[]string{"run", "--target", "etcd", "--fleet", "local"}, "target etcd needs node.address and node.program, which fleet local does not have; use --fleet docker"},
		"unplug":        {[]string{"run", "--fleet", "local", "--nemesis", "unplug"}, "nemesis unplug needs node.unplug, which fleet local does not have; use --fleet docker"},
		"slow":          {[]string{"run", "--profile", "fixed", "--latency", "100ms"}, "more than the election timeout of 150ms, so that no leader could stay one; give nodes more time, as with --target-flag election-timeout=500ms"},
		"reads only":    {[]string{"run", "--mix", "read=1"}, "nothing is ever written"},
		"least rate":    {[]string{"run", "--rate", "10", "--min-rate", "11"}, "11 calls a second cannot succeed where --rate makes 10 at the most"},
		"no rate":       {[]string{"run", "--min-rate", "0"}, "--min-rate: above 0"},
		"twice":         {[]string{"run", "--target", "etcd@v3.6.16,v3.6.16"}, "names a version twice"},
		"too far":       {[]string{"run", "--target", "etcd@v3.4.30,v3.6.16"}, "v3.4.30 and v3.6.16 do not fit together"},
		"kept versions": {[]string{"run", "--target", "etcd@v3.5.35,v3.6.16", "--fleet", "docker"}, "target etcd needs node.relaunch, which fleet docker does not have; use --fleet netns"},
		"one version":   {[]string{"run", "--target", "etcd", "--nemesis", "version"}, "nemesis version needs version.mix, which target etcd does not have"},
		"one site":      {[]string{"run", "--sites", "3"}, "are no two or more sites of 3 nodes"},
		"no such sites": {[]string{"run", "--sites", "2,1", "--nodes", "5"}, "--sites [2 1] are 3 nodes, and --nodes says 5"},
		"apart of what": {[]string{"run", "--sites-apart", "5ms"}, "--sites-apart: which sites there are is said by --sites, such as 3,2"},
		"far apart":     {[]string{"run", "--sites", "2,1", "--sites-apart", "1h"}, "are more than the election timeout"},
		"sites of one":  {[]string{"run", "--nemesis", "partition:sites"}, "several sites (--sites), or another nemesis"},
		"too few":       {[]string{"run", "--nodes", "1", "--nemesis", "kill+partition:halves"}, "partition:halves can do nothing to 1 nodes"},
		"list":          {[]string{"list", "beetles"}, "invalid argument \"beetles\""},
		"latency":       {[]string{"run", "--fleet", "docker", "--latency", "9ms"}, "--latency is an option of fleet local, and this run has fleet docker"},
		"their bug":     {[]string{"run", "--target", "etcd", "--bug", "stale-read"}, "no bugs can be planted in etcd"},
		"serializable":  {[]string{"run", "--serializable"}, "--serializable is an option of target etcd, and this run has target raft"},
		"consistency":   {[]string{"run", "--consistency", "stale"}, "--consistency is an option of target consul and target zookeeper, and this run has target raft"},
		"consistent":    {[]string{"run", "--target", "consul", "--consistency", "eventual"}, `consul has no consistency "eventual"; known are consistent, default, stale`},
		"image":         {[]string{"run", "--fleet", "local", "--image", "etcd:dev"}, "--image is an option of fleet docker, and this run has fleet local"},
		"schedule":      {[]string{"run", "--schedule", dir + "/nothing.yaml"}, "no such file"},
		"two plans":     {[]string{"run", "--schedule", plan, "--nemesis", "kill"}, "--nemesis cannot be given beside it"},
		"late plan":     {[]string{"run", "--schedule", plan, "--time-limit", "4s"}, "fault 1 of the schedule: it begins at 5s, and faults end 3.5s after the load has begun: use a longer --time-limit"},
		"no such plan":  {[]string{"run", "--schedule", bad}, "[2:1] value is not allowed"},
		"build":         {[]string{"images", "build", "cassandra"}, `unknown target "cassandra"`},
		"installed":     {[]string{"images", "build", "zookeeper"}, "the program of zookeeper is one of this machine: there is nothing to build"},
		"build what":    {[]string{"images", "build"}, "requires at least 1 arg(s)"},
		"agent":         {[]string{"agent", "--listen", "here"}, "--listen: "},
		"agent token":   {[]string{"agent", "--listen", "127.0.0.1:1"}, "an agent needs a token"},
		"no history":    {[]string{"check", dir + "/nothing"}, "no such file"},
		"no run":        {[]string{"check", t.TempDir()}, "is no run directory"},
		"bad history":   {[]string{"check", bad}, bad + `:1: not a history event: field "process" is missing`},
		"checker":       {[]string{"check", "--checker", "liner", bad}, `unknown checker "liner"`},
		"no argument":   {[]string{"check"}, "accepts 1 arg(s), received 0"},
		"raftd id":      {[]string{"raftd", "--id", "one", "--peers", "n1=:1"}, "nodes are named n1, n2 and so on"},
		"raftd peers":   {[]string{"raftd", "--id", "n1", "--peers", "here"}, "is not of the form n1=host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := typed(t, c.args...)
			require.Equal(t, child.Usage, code, stderr)
			require.Contains(t, stderr, c.says)
			require.Contains(t, stderr, "--help'.")
			require.Empty(t, stdout)
		})
	}
	_, err := os.Stat("runs")
	require.ErrorIs(t, err, os.ErrNotExist, "bad usage leaves nothing behind")
}

func TestCheckOfKnownHistories(t *testing.T) {
	const dir = "../../checkers/testdata/"
	for file, want := range map[string]int{"valid-handover.jsonl": child.Valid, "invalid-stale-read.jsonl": child.Invalid, "unknown-no-fault.jsonl": child.Unknown} {
		code, stdout, _ := typed(t, "check", dir+file)
		require.Equal(t, want, code, stdout)
	}
	code, stdout, _ := typed(t, "check", "--checker", "leader", dir+"invalid-two-leaders.jsonl")
	require.Equal(t, child.Invalid, code)
	require.Contains(t, stdout, "term 7 has two leaders: n2 (by its log, at 0.005 s) and n4 (by its log, at 0.009 s)")
}

func TestListVersionAndHelp(t *testing.T) {
	code, stdout, _ := typed(t, "list")
	require.Equal(t, child.Valid, code)
	for _, bug := range raft.Bugs() {
		require.Contains(t, stdout, "  "+bug.Name+" ")
	}
	require.Contains(t, stdout, "majorities-ring")
	code, stdout, _ = typed(t, "version")
	require.Equal(t, child.Valid, code)
	require.Contains(t, stdout, "sunder ")
	for _, command := range []string{"", "run", "check", "report", "list", "raftd", "agent", "build", "images", "images build", "clean", "doctor"} {
		code, stdout, _ := typed(t, strings.Fields(command+" --help")...)
		require.Equal(t, child.Valid, code)
		require.Contains(t, stdout, "Examples:", command)
	}
	code, stdout, _ = typed(t, "completion", "bash")
	require.Equal(t, child.Valid, code)
	require.NotEmpty(t, stdout)
}

// controller is a run in a process of its own, under way.
type controller struct {
	cmd    *exec.Cmd
	dir    string
	stdout *bytes.Buffer
	stderr *bytes.Buffer
}

func startController(t *testing.T, more ...string) *controller {
	out := t.TempDir()
	c := &controller{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	c.cmd = exec.Command(os.Args[0], append([]string{"run", "--profile", "fixed", "-o", out, "--time-limit", "60s", "--seed", "1", "--nemesis", "partition:isolate@one=30s/1s+pause@one=30s/1s"}, more...)...)
	c.cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1")
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	require.Eventually(t, func() bool {
		history, err := os.ReadFile(filepath.Join(out, "latest", history.File))
		c.dir, _ = filepath.EvalSymlinks(filepath.Join(out, "latest"))
		return err == nil && bytes.Count(history, []byte(`"kind":"ok"`)) > 100 && bytes.Count(history, []byte(`"process":-1,"kind":"ok"`)) == 2
	}, 60*time.Second, 20*time.Millisecond, "load and both faults are under way")
	return c
}

// nodes returns the pids of the run's nodes.
func (c *controller) nodes(t *testing.T) []int {
	var pids []int
	out, err := exec.Command("ps", "-eo", "pid,args").Output()
	require.NoError(t, err)
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		if strings.Contains(s.Text(), "raftd") && strings.Contains(s.Text(), filepath.Base(c.dir)) {
			pid, err := strconv.Atoi(strings.Fields(s.Text())[0])
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// A controller that is killed leaves no node behind, and a history that can be judged.
func TestAKilledController(t *testing.T) {
	c := startController(t)
	require.Len(t, c.nodes(t), 5)
	require.NoError(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
	require.Eventually(t, func() bool { return len(c.nodes(t)) == 0 }, 2*time.Second, 10*time.Millisecond)
	code, stdout, _ := typed(t, "check", c.dir)
	require.Equal(t, child.Unknown, code, stdout)
	require.Regexp(t, `linear +valid`, stdout)
	require.Regexp(t, `progress +unknown`, stdout)
}

// Ctrl-C heals, writes and judges what there is.
func TestAnInterruptedController(t *testing.T) {
	c := startController(t)
	start := time.Now()
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGINT))
	err := c.cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, child.Interrupted, exit.ExitCode(), c.stdout)
	require.Less(t, time.Since(start), 20*time.Second)
	require.Empty(t, c.nodes(t))
	require.FileExists(t, lastLine(c.stdout.String()))
	h, _, err := open(c.dir, formatAuto, os.Stderr)
	require.NoError(t, err)
	require.NoError(t, h.Notes().Err())
	for _, f := range h.Notes().Faults {
		require.NotEqual(t, int64(1<<63-1), int64(f.Healed), "%s is healed", f.F)
	}
}

// An interrupt during the check does not end in a verdict.
func TestAnInterruptedCheck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	require.Equal(t, child.Interrupted, Execute(ctx, Default(), []string{"check", "../../checkers/testdata/valid-handover.jsonl"}, &out, &err))
	require.Contains(t, out.String(), "UNKNOWN")
}

// What is meant for programs is one JSON document on standard output.
func TestDocumentsForPrograms(t *testing.T) {
	_, stdout, stderr := typed(t, short(t, "--nodes", "3")...)
	dir := filepath.Dir(lastLine(stdout))
	for _, args := range [][]string{{"check", dir}, {"list"}, {"doctor"}} {
		_, stdout, _ := typed(t, append(args, "--format", "json")...)
		require.True(t, json.Valid([]byte(stdout)), "%v: %s", args, stdout)
	}
	code, stdout, _ := typed(t, "check", dir, "--format", "json", "--checker", "leader")
	require.Equal(t, child.Valid, code, stderr)
	require.Contains(t, stdout, `"verdict": "valid"`)
	require.Contains(t, stdout, `"checker": "leader"`)
}

// A line that is drawn again fits the terminal.
func TestLinesAreCutToTheWidth(t *testing.T) {
	require.Equal(t, "load  12…", cutTo("load  123 ok", 10))
	require.Equal(t, "löad …", cutTo("löad  123 ok", 7))
	require.Equal(t, "load", cutTo("load", 10))
	require.Equal(t, "load", cutTo("load", 0), "a width that is not known")
}

// Colour is for terminals.
func TestNoColourInFiles(t *testing.T) {
	require.Equal(t, "VALID", coloured(&bytes.Buffer{}, checkers.Valid, "VALID"))
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, "VALID", coloured(f, checkers.Valid, "VALID"))
}
