package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/packets"
)

// costs are what cannot be done without a capability of the kernel.
var costs = map[harness.Capability]string{
	harness.LinkCut:     "no partitions in containers; the local fleet has them",
	harness.LinkLoss:    "no nemesis loss",
	harness.LinkDelay:   "no nemesis delay",
	harness.LinkRate:    "no nemesis rate",
	harness.LinkReorder: "no nemesis reorder",
	harness.LinkCorrupt: "no nemesis corrupt",
}

// examine tries what the engine, and its kernel, can do.
func examine(ctx context.Context, e harness.Examination) []harness.Finding {
	engine, err := Connect(ctx)
	if err != nil {
		return []harness.Finding{{
			What: "engine",
			Lack: err.Error(),
			Cost: "no etcd, no Consul, no --fleet docker; start Docker, or point DOCKER_HOST to it",
		}}
	}
	defer engine.Close()
	f := engine.Facts()
	all := []harness.Finding{
		{
			What: "engine",
			Has:  fmt.Sprintf("%s, API %s, %s, %d CPUs, %.1f GB", f.Version, f.API, f.OS, f.CPUs, float64(f.MemoryBytes)/1e9),
		},
		{What: "cgroup", Has: f.Cgroup},
		{What: "kernel", Has: f.Kernel},
		disk(f.Root),
	}
	if !f.Direct {
		all = append(
			all,
			harness.Finding{
				What: "addresses",
				Lack: "containers cannot be reached directly, so clients go through ports that the engine forwards",
				Cost: "a call to a dead node is accepted and then lost, so more calls are in doubt",
			},
		)
	}
	all = append(all, kernel(ctx, engine, e)...)
	return append(all, servers(ctx, engine, e.Targets)...)
}

// disk says how much room the engine has.
func disk(root string) harness.Finding {
	const need = 2 << 30
	var s unix.Statfs_t
	if runtime.GOOS != "linux" || unix.Statfs(root, &s) != nil {
		return harness.Finding{What: "disk", Has: "not looked at: the engine keeps its data elsewhere"}
	}
	free := s.Bavail * uint64(s.Bsize)
	if free < need {
		return harness.Finding{
			What: "disk",
			Lack: fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, root),
			Cost: "images, and the nodes' data, may not fit: some GB should be free",
		}
	}
	return harness.Finding{What: "disk", Has: fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, root)}
}

// kernel tries what the engine's kernel can do, in a container.
func kernel(ctx context.Context, engine *Engine, e harness.Examination) []harness.Finding {
	unknown := func(err error) []harness.Finding {
		return []harness.Finding{{
			What: "containers", Lack: err.Error(), Cost: "no --fleet docker: this is how its pods are made",
		}}
	}
	image, err := engine.OwnImage(ctx, e.Sunder, e.Say)
	if err != nil {
		return unknown(err)
	}
	said, err := engine.RunInPod(ctx, image, AgentProgram, "agent", "probe")
	if err != nil {
		return unknown(err)
	}
	var probed []packets.Capability
	if err := json.Unmarshal([]byte(said), &probed); err != nil {
		return unknown(fmt.Errorf("the probe said %.200q: %w", said, err))
	}
	all := []harness.Finding{{What: "containers", Has: "one like a pod's was made, run and removed"}}
	for _, c := range probed {
		if !slices.Contains(Can(), c.Name) {
			continue
		}
		all = append(all, harness.Finding{
			What: string(c.Name), Has: "tried in a container", Lack: c.Lack, Cost: costs[c.Name],
		})
	}
	return all
}

// servers says which images of targets are there.
func servers(ctx context.Context, engine *Engine, targets map[string]harness.TargetEntry) (all []harness.Finding) {
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		t := targets[name]
		if t.Self || t.Installed {
			continue
		}
		found := harness.Finding{
			What: name, Lack: "no image of " + t.Version + " is here",
			Cost: fmt.Sprintf("it is pulled from its registry, or built by: sunder images build %s", name),
		}
		official, built := Images(t, t.Version)
		for _, ref := range []string{official, built} {
			if _, ok, err := engine.HasImage(ctx, ref); ref != "" && err == nil && ok {
				found = harness.Finding{What: name, Has: ref}
				break
			}
		}
		all = append(all, found)
	}
	return all
}
