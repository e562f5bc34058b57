package main

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet"
	"github.com/sunder-dev/sunder/harness/images"
	"github.com/sunder-dev/sunder/targets/consul"
	"github.com/sunder-dev/sunder/targets/etcd"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/targets/raft/core"
	"github.com/sunder-dev/sunder/targets/raft/node"
)

// targetEntry is one target of the list.
type targetEntry struct {
	about string
	// checkers judge every run of the target, beside those of the workload.
	checkers []string
	// recipe says how a version of the server is built; without a version, the one that is tested
	// if none is named. Nil if the server is sunder itself.
	recipe func(version string) images.Recipe
	// new makes the target. Its errors are about flags.
	new func(f *runFlags, version string) (harness.Target, error)
}

var targets = map[string]targetEntry{
	"raft":   {"the built-in Raft; the only one that runs without containers, and has bugs to plant", []string{"state"}, nil, newRaftTarget},
	"etcd":   {"etcd 3.4 to 3.7: etcd, or etcd@v3.5.35", []string{"state"}, etcd.Recipe, newEtcdTarget},
	"consul": {"Consul's key-value store: consul, or consul@v1.16.3", []string{"state"}, consul.Recipe, newConsulTarget},
}

// findTarget reads "etcd@v3.6.5" into the target and the version, which is its default if none is
// named.
func findTarget(spec string) (name, version string, entry targetEntry, err error) {
	name, version, versioned := strings.Cut(spec, "@")
	entry, ok := targets[name]
	switch {
	case !ok:
		return "", "", entry, fmt.Errorf("unknown target %q; known are %s", name, names(targets))
	case versioned && entry.recipe == nil:
		return "", "", entry, fmt.Errorf("%s has no versions: it is sunder's own", name)
	case !versioned && entry.recipe != nil:
		version = entry.recipe("").Version
	}
	return name, version, entry, nil
}

func newEtcdTarget(f *runFlags, version string) (harness.Target, error) {
	return etcd.New(version, f.serializable, nodeFlags("--", f.targetFlags))
}

func newConsulTarget(f *runFlags, version string) (harness.Target, error) {
	return consul.New(version, consul.Consistency(f.consistency), nodeFlags("-", f.targetFlags))
}

// nodeFlags writes --target-flag as arguments of a node's program.
func nodeFlags(dashes string, flags map[string]string) []string {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		args = append(args, dashes+name+"="+flags[name])
	}
	return args
}

func newRaftTarget(f *runFlags, _ string) (harness.Target, error) {
	t := &raft.Target{Binary: fleet.AgentProgram}
	if f.fleet == fleetLocal {
		var err error
		if t.Binary, err = raft.Binary(); err != nil {
			return nil, err
		}
	}
	if f.bug != "" {
		if _, err := core.ParseBugs(f.bug, node.Bugs()); err != nil {
			return nil, fmt.Errorf("--bug: %w", err)
		}
		t.Flags = append(t.Flags, "--bug", f.bug)
	}
	raftd := newRaftdCommand().Flags()
	for name, value := range f.targetFlags {
		if raftd.Lookup(name) == nil {
			return nil, fmt.Errorf("--target-flag: a node has no flag %q; see 'sunder raftd --help'", name)
		}
		if err := raftd.Set(name, value); err != nil {
			return nil, fmt.Errorf("--target-flag %s=%s: %w", name, value, err)
		}
	}
	t.Flags = append(t.Flags, nodeFlags("--", f.targetFlags)...)
	var err1, err2 error
	t.Times.Heartbeat, err1 = raftd.GetDuration("heartbeat")
	t.Times.Election, err2 = raftd.GetDuration("election-timeout")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return t, nil
}

// buildInfo says what was run on what.
func buildInfo() map[string]string {
	info := map[string]string{"go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH, "sunder": "(devel)", "cpus": fmt.Sprint(runtime.NumCPU())}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		info["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		info["sunder"] = b.Main.Version
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				info["revision"] = s.Value
			}
		}
	}
	return info
}
