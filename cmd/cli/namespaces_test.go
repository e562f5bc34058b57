//go:build linux

package cli

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/netns"
	"github.com/sunder-dev/sunder/harness/programs"
	"github.com/sunder-dev/sunder/targets/targettest"
)

// needNamespaces skips a test where the netns fleet does not work, or the program of a target is not built or
// installed. In CI both must be there.
func needNamespaces(t *testing.T, servers ...string) {
	t.Helper()
	options := newEntryOptions(Default(), pflag.NewFlagSet("", pflag.ContinueOnError))
	if err := options.fleets["netns"].Available(t.Context(), harness.FleetConfig{}); err != nil {
		missing(t, "no netns fleet: %v", err)
	}
	for _, name := range servers {
		_, versions, entry, err := Default().findTarget(name)
		require.NoError(t, err)
		if entry.Installed {
			if _, err := entry.Files(); err != nil {
				missing(t, "%v", err)
			}
			continue
		}
		_, there, err := programs.Cached(entry.Recipe(versions[0]), runtime.GOARCH)
		require.NoError(t, err)
		if !there {
			missing(t, "no program of %s: sunder build %s", name, name)
		}
	}
}

func TestRunsInNamespaces(t *testing.T) {
	needNamespaces(t, "etcd", "consul", "etcd@v3.6.15", "zookeeper")
	for name, args := range map[string][]string{
		"etcd": {"--target", "etcd"},
		// Consul's elections take seconds: shorter faults end before anything was served under them.
		"consul":           {"--target", "consul", "--nodes", "3", "--hold", "3s", "--rest", "1s", "--time-limit", "20s"},
		"raft, by packets": {"--target", "raft", "--nodes", "3", "--nemesis", "unplug,loss:some"},
		"raft, by its packets": {
			"--target", "raft", "--nodes", "3", "--nemesis", "reorder,duplicate,corrupt,rate,flaky", "--hold", "1s",
		},
		"raft, replaced":   {"--target", "raft", "--nemesis", "replace@leader", "--hold", "500ms"},
		"members replaced": {"--target", "etcd", "--nemesis", "replace", "--hold", "500ms", "--sites", "2,1"},
		"two versions":     {"--target", "etcd@v3.6.15,v3.6.16", "--nodes", "3", "--nemesis", "version"},
		"described": {
			"--target", theStore, "--mix", "read=50,write=50", "--nodes", "3", "--nemesis", "partition,loss",
		},
		"locks": {
			"--target", "etcd", "--workload", "lock", "--nodes", "3", "--ttl", "1s", "--nemesis", "pause@holder,kill@leader", "--hold", "2500ms",
			"--time-limit", "14s",
		},
		"locks of consul": {
			"--target", "consul", "--workload", "lock", "--nodes", "3", "--nemesis", "pause@holder", "--hold", "3s", "--time-limit", "20s",
		},
		"zookeeper": {"--target", "zookeeper", "--nodes", "3", "--nemesis", "partition,kill@leader", "--time-limit", "12s"},
		"elections of zookeeper": {
			"--target", "zookeeper", "--workload", "election", "--nodes", "3", "--ttl", "1s", "--nemesis", "pause@holder", "--hold", "3s",
			"--time-limit", "14s",
		},
		"leases":            {"--target", "etcd", "--workload", "lease", "--nodes", "3", "--nemesis", "kill@leader,partition", "--hold", "3s", "--time-limit", "14s"},
		"the default run":   {"--target", "etcd", "--profile", "swarm", "--hold", "1s"},
		"a stranger's etcd": {"--target", "etcd", "--program", cached(t, "etcd")},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := contained(t, append(args, "--fleet", "netns")...)
			require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
			require.Contains(t, stderr, "\nfleet netns: as asked for\n")
			require.Equal(t, 1, strings.Count(stderr, "fleet netns: "), "it is said outside alone")
			require.FileExists(t, lastLine(stdout))
		})
	}
}

// cached is the program of a target in the cache.
func cached(t *testing.T, target string) string {
	entry := Default().Targets[target]
	path, _, err := programs.Cached(entry.Recipe(entry.Version), runtime.GOARCH)
	require.NoError(t, err)
	return path
}

// Two servers take writes while one of them is cut off, and two clients hold one lock.
func TestRedisInNamespaces(t *testing.T) {
	needNamespaces(t, "redis")
	redis := []string{"--target", "redis", "--nodes", "3", "--fleet", "netns", "--time-limit", "14s"}
	code, stdout, stderr := contained(t, append(redis, "--nemesis", "none")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	code, stdout, stderr = contained(t, append(redis, "--workload", "lock", "--fencing=false",
		"--nemesis", "partition:isolate@leader", "--hold", "7s", "--rest", "1s", "--expect", "invalid:leader:single,mutex")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	code, stdout, stderr = contained(t, append(redis, "--workload", "lease", "--time-limit", "20s",
		"--nemesis", "partition:isolate@leader", "--hold", "7s", "--rest", "1s", "--expect", "invalid:leader:single,lease")...)
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "how its lease was broken")
}

// Reads that are documented to be stale are found to be, as in containers.
func TestStaleReadsInNamespaces(t *testing.T) {
	needNamespaces(t, "etcd", "zookeeper")
	for _, args := range [][]string{
		append(slices.Clone(staleReads), "--target", "etcd", "--serializable"),
		// A server that is cut off hangs up on its clients, and one that hears late does not know it.
		{"--target", "zookeeper", "--consistency", "local", "--nodes", "3", "--nemesis", "delay", "--mix", "read=80,write=20", "--time-limit", "10s"},
	} {
		code, stdout, stderr := contained(t, append(args, "--fleet", "netns")...)
		require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)
		require.Contains(t, stdout, "is not linearizable")
	}
}

// Without an engine, real servers run in namespaces by themselves, and the second line says why.
func TestTheFleetThatThereIs(t *testing.T) {
	needNamespaces(t, "etcd")
	cmd := exec.Command(os.Args[0], shortContained(t, "--target", "etcd", "--nodes", "3")...)
	cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1", "DOCKER_HOST=unix:///nowhere/docker.sock")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Run(), said.String())
	require.Contains(t, strings.Split(said.String(), "\n")[1], "fleet netns: not docker: no container engine")
}

// Every target passes the suite of targets, in namespaces.
func TestTargetsInNamespaces(t *testing.T) {
	needNamespaces(t, "etcd", "consul", "redis", "zookeeper")
	if !netns.Inside() {
		var said bytes.Buffer
		code, err := netns.Enter(t.Context(), []string{"-test.run=^TestTargetsInNamespaces$", "-test.v"}, nil, &said, &said)
		require.NoError(t, err)
		require.Zero(t, code, said.String())
		for name := range Default().Targets {
			require.Contains(t, said.String(), "--- PASS: TestTargetsInNamespaces/"+name)
		}
		return
	}
	c := Default()
	options := newEntryOptions(c, pflag.NewFlagSet("", pflag.ContinueOnError))
	for name, entry := range c.Targets {
		t.Run(name, func(t *testing.T) {
			target, err := options.targets[name](harness.TargetConfig{Version: entry.Version})
			require.NoError(t, err)
			defer func() { require.NoError(t, closeTarget(target)) }()
			targettest.Test(t, targettest.Config{Target: target, Fleet: func() (harness.Fleet, error) {
				f, _, err := options.fleets["netns"].Open(t.Context(), harness.FleetConfig{
					Dir: t.TempDir(), Target: entry, Version: entry.Version, Sunder: "(test)", Say: io.Discard,
				})
				return f, err
			}})
		})
	}
}

// It needs no root: the same as a plain user.
func TestAsAPlainUser(t *testing.T) {
	needNamespaces(t)
	if os.Getuid() != 0 {
		t.Log("all tests of this file are a plain user's")
		return
	}
	const nobody = 65534
	dir := t.TempDir()
	program := filepath.Join(dir, "sunder")
	content, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, content, 0o755))
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755))
	}
	out := filepath.Join(dir, "runs")
	require.NoError(t, os.Mkdir(out, 0o755))
	require.NoError(t, os.Chown(out, nobody, nobody))
	cmd := exec.Command(program, shortContained(t, "-o", out, "--target", "raft", "--fleet", "netns", "--nodes", "3")...)
	cmd.Env = append(os.Environ(), "SUNDER_TEST_MAIN=1", "HOME="+out)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Run(), said.String())
	info, err := os.Stat(lastLine(said.String()))
	require.NoError(t, err)
	require.EqualValues(t, nobody, info.Sys().(*syscall.Stat_t).Uid)
}

// What is wrong is said before anything begins.
func TestProgramsThatAreNone(t *testing.T) {
	needNamespaces(t)
	for say, args := range map[string][]string{
		"it is no program":            {"--target", "etcd", "--program", t.TempDir()},
		"--program /nowhere/etcd":     {"--target", "etcd", "--program", "/nowhere/etcd"},
		"is an option of fleet netns": {"--target", "etcd", "--program", "/nowhere/etcd", "--fleet", "docker"},
		"nemesis snapshot needs store.snapshot, which target raft does not have": {"--target", "raft", "--nemesis", "snapshot"},
		`etcd has no version "v3.6"`:     {"--target", "etcd@v3.6", "--fleet", "netns"},
		"--nodes: at the most 200 nodes": {"--target", "raft", "--fleet", "netns", "--nodes", "201"},
	} {
		out := t.TempDir()
		code, _, stderr := typed(t, append([]string{"run", "-o", out}, args...)...)
		require.Contains(t, []int{child.Usage, child.Error}, code, stderr)
		require.Contains(t, stderr, say)
		left, err := os.ReadDir(out)
		require.NoError(t, err)
		require.Empty(t, left, "nothing was run")
	}
}

// Programs are built by name, and only those that there are.
func TestBuild(t *testing.T) {
	needNamespaces(t, "etcd")
	code, stdout, stderr := typed(t, "build", "etcd")
	require.Equal(t, child.Valid, code, stderr)
	require.Equal(t, cached(t, "etcd")+"\n", stdout)
	for say, args := range map[string]string{
		"there is nothing to build": "raft", "unknown target": "etc", `no version "latest"`: "etcd@latest",
	} {
		code, _, stderr := typed(t, "build", args)
		require.Equal(t, child.Usage, code, stderr)
		require.Contains(t, stderr, say)
	}
}

// In a container it works with the options that are named where it does not.
func TestInsideAContainer(t *testing.T) {
	needContainers(t)
	_, stdout, stderr := typed(t, "images", "build", "raft")
	image, _, made := strings.Cut(stdout, " is there")
	require.True(t, made, stdout+stderr)
	run := func(options ...string) (int, string) {
		args := append([]string{"run", "--rm", "--tmpfs", "/runs:mode=1777"}, options...)
		cmd := exec.CommandContext(t.Context(), "docker", append(append(args, image), shortContained(t, "--target", "raft",
			"--fleet", "netns", "--nodes", "3", "--time-limit", "5s", "-o", "/runs")...)...)
		said, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(said)
	}
	code, said := run()
	require.Equal(t, child.Error, code, said)
	require.Contains(t, said, "start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined")
	named := []string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}
	for _, more := range [][]string{nil, {"--security-opt", "systempaths=unconfined"}, {"--user", "1000:1000"}} {
		code, said = run(append(more, named...)...)
		require.Equal(t, child.Valid, code, said)
	}
}
