package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/agent"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
)

func (a app) newDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do, and what each lack costs",
		Long: `Look for a container engine and try, in a container that is removed again, what the kernel can do
to packets. Each line is something that sunder can use; where it is missing, the line says what
cannot be done without it. The built-in Raft on the local fleet needs nothing of all this.`,
		Example: `  sunder doctor`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			for _, f := range a.examine(ctx, cmd.ErrOrStderr()) {
				f.print(cmd.OutOrStdout())
			}
			return cmd.Context().Err()
		},
	}
}

const doctorTimeout = 2 * time.Minute

// finding is one thing that the machine has or lacks.
type finding struct {
	what string
	has  string // what there is; empty if it is missing
	lack string // why it is missing
	cost string // what cannot be done without it
}

func (f finding) print(w io.Writer) {
	if f.lack == "" {
		fmt.Fprintf(w, "ok   %-10s %s\n", f.what, f.has)
		return
	}
	fmt.Fprintf(w, "no   %-10s %s\n                without it: %s\n", f.what, f.lack, f.cost)
}

// costs are what cannot be done without a capability of the kernel.
var costs = map[string]string{
	agent.NFTables: "no partitions in containers; the local fleet has them",
	agent.Loss:     "no nemesis loss",
}

func (a app) examine(ctx context.Context, say io.Writer) []finding {
	all := []finding{
		{
			what: "sunder",
			has:  sunder.BuildInfo()["sunder"] + ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH,
		},
	}
	engine, err := docker.Connect(ctx)
	if err != nil {
		return append(
			all,
			finding{
				what: "engine",
				lack: err.Error(),
				cost: "no etcd, no Consul, no --fleet docker; start Docker, or point DOCKER_HOST to it",
			},
		)
	}
	defer engine.Close()
	f := engine.Facts()
	all = append(
		all,
		finding{
			what: "engine",
			has:  fmt.Sprintf("%s, API %s, %s, %d CPUs, %.1f GB", f.Version, f.API, f.OS, f.CPUs, float64(f.MemoryBytes)/1e9),
		},
		finding{what: "cgroup", has: f.Cgroup},
		finding{what: "kernel", has: f.Kernel},
		disk(f.Root),
	)
	if !f.Direct {
		all = append(
			all,
			finding{
				what: "addresses",
				lack: "containers cannot be reached directly, so clients go through ports that the engine forwards",
				cost: "a call to a dead node is accepted and then lost, so more calls are in doubt",
			},
		)
	}
	all = append(all, kernel(ctx, engine, say)...)
	return append(all, a.servers(ctx, engine)...)
}

// disk says how much room the engine has.
func disk(root string) finding {
	const need = 2 << 30
	var s unix.Statfs_t
	if runtime.GOOS != "linux" || unix.Statfs(root, &s) != nil {
		return finding{what: "disk", has: "not looked at: the engine keeps its data elsewhere"}
	}
	free := s.Bavail * uint64(s.Bsize)
	if free < need {
		return finding{
			what: "disk",
			lack: fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, root),
			cost: "images, and the nodes' data, may not fit: some GB should be free",
		}
	}
	return finding{what: "disk", has: fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, root)}
}

// kernel tries what the engine's kernel can do, in a container.
func kernel(ctx context.Context, engine *docker.Engine, say io.Writer) []finding {
	unknown := func(err error) []finding {
		return []finding{{what: "containers", lack: err.Error(), cost: "no --fleet docker: this is how its pods are made"}}
	}
	image, err := engine.OwnImage(ctx, sunder.BuildInfo()["sunder"], say)
	if err != nil {
		return unknown(err)
	}
	said, err := engine.RunInPod(ctx, image, docker.AgentProgram, "agent", "probe")
	if err != nil {
		return unknown(err)
	}
	var probed []agent.Capability
	if err := json.Unmarshal([]byte(said), &probed); err != nil {
		return unknown(fmt.Errorf("the probe said %.200q: %w", said, err))
	}
	all := []finding{{what: "containers", has: "one like a pod's was made, run and removed"}}
	for _, c := range probed {
		all = append(all, finding{what: c.Name, has: "tried in a container", lack: c.Lack, cost: costs[c.Name]})
	}
	return all
}

// servers says which images of targets are there.
func (a app) servers(ctx context.Context, engine *docker.Engine) (all []finding) {
	each(a.Targets, func(name string, t harness.TargetEntry) {
		if t.Self {
			return
		}
		found := finding{
			what: name, lack: "no image of " + t.Version + " is here",
			cost: fmt.Sprintf("it is pulled from its registry, or built by: sunder images build %s", name),
		}
		official, built := docker.Images(t, t.Version)
		for _, ref := range []string{official, built} {
			if _, ok, err := engine.HasImage(ctx, ref); ref != "" && err == nil && ok {
				found = finding{what: name, has: ref}
				break
			}
		}
		all = append(all, found)
	})
	return all
}
