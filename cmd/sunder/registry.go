package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/targets/raft/core"
	"github.com/sunder-dev/sunder/targets/raft/node"
)

// targetEntry is one target of the list.
type targetEntry struct {
	about string
	// checkers judge every run of the target, beside those of the workload.
	checkers []string
	new      func(*runFlags) (harness.Target, error)
}

var targets = map[string]targetEntry{
	"raft": {"the built-in Raft, as processes of this binary", []string{"state"}, newRaftTarget},
}

// fleetEntry is one fleet of the list.
type fleetEntry struct {
	about string
	new   func(f *runFlags, dir string) (harness.Fleet, error)
}

var fleets = map[string]fleetEntry{
	"local": {"child processes on loopback; every link through a proxy of its own", newLocalFleet},
}

func newLocalFleet(f *runFlags, dir string) (harness.Fleet, error) {
	data, err := filepath.Abs(filepath.Join(dir, fleet.DataDir))
	if err != nil {
		return nil, err
	}
	return fleet.NewLocal(data, f.latency), nil
}

func newRaftTarget(f *runFlags) (harness.Target, error) {
	binary, err := raft.Binary()
	if err != nil {
		return nil, err
	}
	t := &raft.Target{Binary: binary}
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
		t.Flags = append(t.Flags, "--"+name+"="+value)
	}
	return t, nil
}

// buildInfo says what was run on what.
func buildInfo() map[string]string {
	info := map[string]string{"go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH, "sunder": "(devel)", "cpus": fmt.Sprint(runtime.NumCPU())}
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
