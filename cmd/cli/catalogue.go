package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/harness/fleet/netns"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/targets/bully"
	"github.com/sunder-dev/sunder/targets/consul"
	"github.com/sunder-dev/sunder/targets/described"
	"github.com/sunder-dev/sunder/targets/etcd"
	"github.com/sunder-dev/sunder/targets/paxos"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/targets/redis"
	"github.com/sunder-dev/sunder/targets/zookeeper"
	"github.com/sunder-dev/sunder/workloads"
)

// Catalogue is all that the command line knows, by name. A program of one's own adds entries to those of [Default].
type Catalogue struct {
	Targets map[string]harness.TargetEntry
	// Describe reads a file that describes a target, which is then one like the others for a run. Nil reads none.
	Describe  func(path string) (name string, e harness.TargetEntry, err error)
	Fleets    map[string]harness.FleetEntry
	Workloads map[string]harness.WorkloadEntry
	Nemeses   nemesis.Families
	Checkers  checkers.Registry
	// Demos are runs that show something, in the order in which they are best seen.
	Demos []Demo
	// Renderers show in reports what checkers attach, by kind.
	Renderers map[string]page.Renderer
}

// Default returns what comes with sunder. Each call returns a new one.
func Default() Catalogue {
	return Catalogue{
		Targets: map[string]harness.TargetEntry{
			"raft":      raft.Entry(),
			"bully":     bully.Entry(),
			"etcd":      etcd.Entry(),
			"consul":    consul.Entry(),
			"paxos":     paxos.Entry(),
			"redis":     redis.Entry(),
			"zookeeper": zookeeper.Entry(),
		},
		Describe: described.Entry,
		Fleets: map[string]harness.FleetEntry{
			"local":  local.Entry(),
			"docker": docker.Entry(),
			"netns":  netns.Entry(),
		},
		Workloads: workloads.Default(),
		Nemeses:   nemesis.Default(),
		Checkers:  checkers.Default(),
		Demos:     demos(),
		Renderers: page.Default(),
	}
}

// described reports whether a target is named by a file that describes it.
func (c Catalogue) described(spec string) bool {
	return c.Describe != nil && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(spec))
}

// findTarget reads "etcd@v3.6.5" into the target and the version, which is its default if none is
// named, and "./mydb.yaml" into what the file describes.
func (c Catalogue) findTarget(spec string) (name string, versions []string, entry harness.TargetEntry, err error) {
	if c.described(spec) {
		name, entry, err = c.Describe(spec)
		if _, taken := c.Targets[name]; taken && err == nil {
			err = fmt.Errorf("%s: name: %s is another target; give it a name of its own", spec, name)
		}
		return name, []string{""}, entry, err
	}
	name, version, versioned := strings.Cut(spec, "@")
	entry, err = find("target", c.Targets, name)
	switch {
	case err != nil:
		return "", nil, entry, err
	case versioned && entry.Version == "":
		return "", nil, entry, fmt.Errorf("%s has no versions", name)
	case !versioned:
		version = entry.Version
	}
	versions = strings.Split(version, ",")
	if once := slices.Compact(slices.Sorted(slices.Values(versions))); len(once) < len(versions) {
		return "", nil, entry, fmt.Errorf("%s names a version twice", spec)
	}
	return name, versions, entry, nil
}

// find returns an entry by its name.
func find[E any](kind string, entries map[string]E, name string) (E, error) {
	entry, ok := entries[name]
	if !ok {
		return entry, unknown(kind, name, sorted(entries))
	}
	return entry, nil
}

// unknown says that nothing has a name, what has one, and what was probably meant.
func unknown(kind, name string, known []string) error {
	return fmt.Errorf("unknown %s %q; known are %s%s", kind, name, strings.Join(known, ", "), meant(name, known))
}

// names lists the names of entries for help texts.
func names[E any](entries map[string]E) string {
	return strings.Join(sorted(entries), ", ")
}

// planted returns all bugs that can be planted, with the targets that have them, sorted by name.
func (c Catalogue) planted() (all []plantedBug) {
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		for _, b := range c.Targets[name].Bugs {
			all = append(all, plantedBug{b, name})
		}
	}
	slices.SortStableFunc(all, func(a, b plantedBug) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// hunted returns the bugs that there is a run for which is made to find them.
func (c Catalogue) hunted() []plantedBug {
	return slices.DeleteFunc(c.planted(), func(b plantedBug) bool { return b.Hunt == "" })
}

// plantedBug is a bug and the target that it can be planted in.
type plantedBug struct {
	harness.Bug
	Target string
}

// command is that of a run which is made to find the bug.
func (b plantedBug) command() string { return "sunder run " + strings.Join(b.args(), " ") }

func (b plantedBug) args() []string {
	args := []string{"--target", b.Target, "--bug", b.Name}
	if b.Hunt != "" { // it says all that matters
		args = append(args, "--profile", profileFixed)
	}
	return append(args, strings.Fields(b.Hunt)...)
}
