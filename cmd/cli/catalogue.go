package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/harness/fleet/netns"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/targets/consul"
	"github.com/sunder-dev/sunder/targets/etcd"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/workloads"
)

// Catalogue is all that the command line knows, by name. A program of one's own adds entries to those of [Default].
type Catalogue struct {
	Targets   map[string]harness.TargetEntry
	Fleets    map[string]harness.FleetEntry
	Workloads map[string]harness.WorkloadEntry
	Nemeses   nemesis.Families
	Checkers  checkers.Registry
	// Renderers show in reports what checkers attach, by kind.
	Renderers map[string]page.Renderer
}

// Default returns what comes with sunder. Each call returns a new one.
func Default() Catalogue {
	return Catalogue{
		Targets: map[string]harness.TargetEntry{
			"raft":   raft.Entry(),
			"etcd":   etcd.Entry(),
			"consul": consul.Entry(),
		},
		Fleets: map[string]harness.FleetEntry{
			"local":  local.Entry(),
			"docker": docker.Entry(),
			"netns":  netns.Entry(),
		},
		Workloads: workloads.Default(),
		Nemeses:   nemesis.Default(),
		Checkers:  checkers.Default(),
		Renderers: page.Default(),
	}
}

// findTarget reads "etcd@v3.6.5" into the target and the version, which is its default if none is
// named.
func (c Catalogue) findTarget(spec string) (name string, versions []string, entry harness.TargetEntry, err error) {
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
		return entry, fmt.Errorf("unknown %s %q; known are %s", kind, name, names(entries))
	}
	return entry, nil
}

// names lists the names of entries for help texts.
func names[E any](entries map[string]E) string {
	return strings.Join(slices.Sorted(maps.Keys(entries)), ", ")
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
