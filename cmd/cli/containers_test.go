package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
	"github.com/sunder-dev/sunder/targets/etcd"
	"github.com/sunder-dev/sunder/targets/targettest"
)

// missing skips a test for what is not there. In CI it must be.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// needContainers skips a test where there is no engine, or no image of a target. In CI both must be there.
func needContainers(t *testing.T, servers ...string) {
	t.Helper()
	engine, err := docker.Connect(t.Context())
	if err != nil {
		missing(t, "no container engine: %v", err)
	}
	defer engine.Close()
	for _, name := range servers {
		entry := Default().Targets[name]
		if entry.Installed {
			if _, err := entry.Files(); err != nil {
				missing(t, "%v", err)
			}
			continue
		}
		image, built := docker.Images(entry, entry.Version)
		_, official, err := engine.HasImage(t.Context(), image)
		require.NoError(t, err)
		_, ours, err := engine.HasImage(t.Context(), built)
		require.NoError(t, err)
		if !official && !ours {
			missing(t, "no image of %s: make images", name)
		}
	}
}

// shortContained are the flags of a run in containers that is over soon.
func shortContained(t *testing.T, more ...string) []string {
	return append([]string{"run", "--profile", "fixed", "-o", t.TempDir(), "--time-limit", "10s", "--rate", "400", "--hold", "800ms", "--rest", "800ms", "--seed", "1"}, more...)
}

// contained makes a run in containers. If the test fails, it shows the last of what the nodes wrote, as all else is
// gone by then.
func contained(t *testing.T, args ...string) (code int, stdout, stderr string) {
	code, stdout, stderr = typed(t, shortContained(t, args...)...)
	t.Cleanup(func() {
		logs, err := filepath.Glob(filepath.Join(filepath.Dir(lastLine(stdout)), "logs", "*.log"))
		if !t.Failed() || err != nil {
			return
		}
		for _, path := range logs {
			if text, err := os.ReadFile(path); err == nil {
				t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-6000):])
			}
		}
	})
	return code, stdout, stderr
}

func TestRunsInContainers(t *testing.T) {
	needContainers(t, "etcd", "consul")
	for name, args := range map[string][]string{
		"etcd": {"--target", "etcd"},
		// Consul's elections take seconds: shorter faults end before anything was served under them.
		"consul":                           {"--target", "consul", "--nodes", "3", "--hold", "3s", "--rest", "1s", "--time-limit", "20s"},
		"raft":                             {"--target", "raft", "--fleet", "docker"},
		"faults that only containers have": {"--target", "raft", "--nodes", "3", "--nemesis", "unplug,loss:some"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := contained(t, args...)
			require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
			require.Contains(t, strings.Split(stderr, "\n")[1], "fleet docker: ")
			require.FileExists(t, lastLine(stdout))
		})
	}
}

// staleReads are the flags of a run that finds that reads of a node's own state are stale. An isolated node answers
// reads for as long as its clients do not wait for a write, and they are stale once the others have written, which
// takes them an election if it was the leader: so reads are many, and faults longer than that.
var staleReads = []string{
	"--nodes", "3", "--nemesis", "partition:isolate", "--mix", "read=90,write=10", "--hold", "2s", "--time-limit", "15s",
}

// Reads that are documented to be stale are found to be stale, and pictured.
func TestStaleReadsAreFound(t *testing.T) {
	needContainers(t, "etcd", "consul")
	for name, args := range map[string][]string{
		"etcd":   {"--serializable", "--target", "etcd"},
		"consul": {"--consistency", "stale", "--target", "consul"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := contained(t, slices.Concat(staleReads, args)...)
			require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
			require.Contains(t, stdout, "is not linearizable")
			require.Regexp(t, `leader +valid`, stdout)
			page, err := os.ReadFile(lastLine(stdout))
			require.NoError(t, err)
			require.Contains(t, string(page), "✗ impossible", "the drawn picture")
			// Flags that are a word alone are told again as such.
			require.NotContains(t, strings.Split(stderr, "\n")[0], "true")
		})
	}
}

// openDocker opens a docker fleet for a target, as a run does.
func openDocker(t testing.TB, target string) (harness.Fleet, map[string]string) {
	options := newEntryOptions(Default(), pflag.NewFlagSet("", pflag.ContinueOnError))
	entry := Default().Targets[target]
	f, facts, err := options.fleets["docker"].Open(t.Context(), harness.FleetConfig{
		Dir: t.Name(), Target: entry, Version: entry.Version, Sunder: "(test)", Say: io.Discard,
	})
	require.NoError(t, err)
	return f, facts
}

// Every target passes the suite of targets, in containers.
func TestTargetsInContainers(t *testing.T) {
	needContainers(t, "etcd", "consul", "redis", "zookeeper")
	c := Default()
	options := newEntryOptions(c, pflag.NewFlagSet("", pflag.ContinueOnError))
	for name, entry := range c.Targets {
		t.Run(name, func(t *testing.T) {
			target, err := options.targets[name](harness.TargetConfig{Version: entry.Version})
			require.NoError(t, err)
			defer func() { require.NoError(t, closeTarget(target)) }()
			targettest.Test(t, targettest.Config{Target: target, Fleet: func() (harness.Fleet, error) {
				f, _ := openDocker(t, name)
				return f, nil
			}})
		})
	}
}

// aCluster launches a real etcd cluster and waits until it serves.
func aCluster(t *testing.T, nodes int) (*harness.Cluster, *etcd.Target) {
	target, err := etcd.New(etcd.DefaultVersion, false, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	f, _ := openDocker(t, "etcd")
	c := harness.NewCluster(target, f, harness.NodeNames(nodes), func(node string) { t.Errorf("%s ended by itself", node) })
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.Serving(ctx))
	return c, target
}

// A real etcd cluster that is cut 3-2: the minority, with the old leader, serves nothing that claims to be
// linearizable; the majority elects another leader and serves.
func TestEtcdCutInTwo(t *testing.T) {
	needContainers(t, "etcd")
	c, target := aCluster(t, 5)
	old := c.View(t.Context()).Leaders[0]
	others := slices.DeleteFunc(slices.Clone(c.Nodes()), func(n string) bool { return n == old })
	minority, majority := []string{old, others[0]}, others[1:]
	at := func(node string, serializable bool) *etcd.Client {
		reader := &etcd.Target{Serializable: serializable}
		client, err := reader.Dial(t.Context(), c.Node(node))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		return client.(*etcd.Client)
	}
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}
	before, err := at(old, false).Write(within(10*time.Second), "k", "before")
	require.NoError(t, err)
	require.Equal(t, before.Revision, before.Version)
	require.NotZero(t, before.Term)

	var links []harness.Link
	for _, m := range minority {
		for _, n := range majority {
			links = append(links, harness.Link{From: m, To: n}.Both()...)
		}
	}
	in := c.NewInjection()
	require.NoError(t, in.Impair(t.Context(), harness.Impairment{Drop: true}, links...))

	require.Eventually(t, func() bool {
		_, err := at(majority[0], false).Write(within(time.Second), "k", "during")
		return err == nil
	}, 30*time.Second, 50*time.Millisecond, "the majority serves")
	leaders := c.View(t.Context()).Leaders
	require.True(t, slices.ContainsFunc(leaders, func(n string) bool { return slices.Contains(majority, n) }), "it has a leader of its own: %v", leaders)
	for _, n := range minority {
		_, err := at(n, false).Write(within(2*time.Second), "k", "split")
		require.Error(t, err, "%s must not serve writes", n)
		require.NotErrorAs(t, err, new(harness.Refusal))
		_, _, err = at(n, false).Read(within(2*time.Second), "k")
		require.Error(t, err, "%s must not serve linearizable reads", n)
		value, _, err := at(n, true).Read(within(2*time.Second), "k")
		require.NoError(t, err)
		require.Equal(t, "before", *value, "what etcd documents of serializable reads")
	}
	require.NoError(t, in.Heal(t.Context()))
	require.NoError(t, c.Serving(within(30*time.Second)))
	for _, n := range minority {
		value, now, err := at(n, false).Read(within(10*time.Second), "k")
		require.NoError(t, err)
		require.NotEqual(t, "before", *value)
		require.Greater(t, now.Version, before.Version)
		require.Greater(t, now.Term, before.Term)
	}
	// All have the same state, and say so of the same revision.
	hashes := map[string]bool{}
	for _, n := range c.Nodes() {
		require.Eventually(t, func() bool {
			h, err := target.Hash(within(time.Second), c.Node(n), before.Revision)
			hashes[h.Sum] = true
			return err == nil && h.Revision == before.Revision
		}, 10*time.Second, 50*time.Millisecond)
	}
	require.Len(t, hashes, 1)
}

// inContainers are the flags of a run that the test will not let come to its end.
var inContainers = []string{"--target", "raft", "--fleet", "docker", "--nodes", "3"}

// ours returns what is left of a run: containers, networks and volumes.
func ours(t *testing.T, run string) string {
	var all []string
	for _, list := range [][]string{{"ps", "-a", "--format", "{{.Names}}"}, {"network", "ls", "--format", "{{.Name}}"}, {"volume", "ls", "--format", "{{.Name}}"}} {
		out, err := exec.Command("docker", append(list, "--filter", "label=sunder.run="+run)...).Output()
		require.NoError(t, err)
		all = append(all, strings.Fields(string(out))...)
	}
	return strings.Join(all, " ")
}

// A controller that is killed can remove nothing. 'sunder clean' does, and the history can be judged.
func TestAKilledControllerInContainers(t *testing.T) {
	needContainers(t)
	c := startController(t, inContainers...)
	run := filepath.Base(c.dir)
	code, stdout, _ := typed(t, "clean")
	require.Equal(t, child.Valid, code)
	require.Contains(t, stdout, "kept     "+run+": it lives")
	require.NoError(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
	require.Len(t, strings.Fields(ours(t, run)), 3+3+1+3)
	code, stdout, _ = typed(t, "clean")
	require.Equal(t, child.Valid, code)
	require.Contains(t, stdout, "removed  "+run+": 6 containers, 1 networks, 3 volumes")
	require.Empty(t, ours(t, run))
	code, stdout, _ = typed(t, "check", c.dir)
	require.Equal(t, child.Unknown, code, stdout)
	require.Regexp(t, `linear +valid`, stdout)
}

func TestAnInterruptedControllerInContainers(t *testing.T) {
	needContainers(t)
	c := startController(t, inContainers...)
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGINT))
	var exit *exec.ExitError
	require.ErrorAs(t, c.cmd.Wait(), &exit)
	require.Equal(t, child.Interrupted, exit.ExitCode(), c.stdout)
	require.Empty(t, ours(t, filepath.Base(c.dir)))
}

func TestDoctorAndImages(t *testing.T) {
	needContainers(t, "etcd")
	code, stdout, stderr := typed(t, "doctor")
	require.Equal(t, child.Valid, code, stderr)
	for _, want := range []string{"engine", "cgroup", "kernel", "disk", "link.cut", "link.loss", "etcd", "consul"} {
		require.Regexp(t, `(?m)^(ok|no)   `+want+` `, stdout)
	}
	require.Regexp(t, `(?m)^ok   link\.cut`, stdout)
	code, stdout, _ = typed(t, "images")
	require.Equal(t, child.Valid, code)
	require.Contains(t, stdout, "sunder/sunder:")
	code, stdout, stderr = typed(t, "images", "build", "raft")
	require.Equal(t, child.Valid, code, stderr)
	require.Regexp(t, `^sunder/sunder:[0-9a-f]{12} is there`, stdout)
}

// Without an engine, or an image, one is told what to do. The built-in Raft needs neither.
func TestWithoutAnEngine(t *testing.T) {
	without := func(args ...string) (int, string) {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1", "DOCKER_HOST=unix:///nowhere/docker.sock")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), said.String()
	}
	dir := t.TempDir()
	code, said := without("run", "-o", dir, "--target", "etcd", "--fleet", "docker")
	require.Equal(t, child.Error, code)
	require.Contains(t, said, "no container engine")
	require.Contains(t, said, "'sunder doctor' says what is missing")
	code, said = without("doctor")
	require.Equal(t, child.Valid, code)
	require.Regexp(t, `(?m)^no   engine `, said)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing was run")
}

func TestWithoutAnImage(t *testing.T) {
	needContainers(t)
	code, _, said := typed(t, "run", "-o", t.TempDir(), "--target", "etcd@v3.5.99", "--fleet", "docker")
	require.Equal(t, child.Error, code)
	require.Contains(t, said, "sunder images build etcd@v3.5.99")
}
