package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
	"github.com/sunder-dev/sunder/harness/images"
)

func (a app) newImagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "images",
		Short: "List the images that sunder built, or build some",
		Long: `List the images that sunder built. A run takes the official image of a target if it is here, or
one that was built here, or pulls the official one; --image names another.`,
		Example: `  sunder images
  sunder images build etcd                 # the version that is tested by default
  sunder images build etcd@v3.5.35 consul`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			engine, err := docker.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer engine.Close()
			list, err := engine.Images(cmd.Context())
			if err != nil {
				return err
			}
			for _, i := range list {
				fmt.Fprintf(
					cmd.OutOrStdout(),
					"%-30s %6.1f MB  made %s  %s\n",
					i.Ref,
					float64(i.Bytes)/1e6,
					i.Made.Format(time.DateTime),
					i.Version,
				)
			}
			if len(list) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "none yet; 'sunder images build etcd' makes one")
			}
			return nil
		},
	}
	cmd.AddCommand(a.newImagesBuildCommand())
	return cmd
}

func (a app) newImagesBuildCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "build TARGET[@VERSION]...",
		Short: "Build images of servers from source, for where no registry can be reached",
		Long: `Build servers from the Go module proxy, each in a module of its own that is thrown away, and
make images of nothing but the program. Versions that are there are not built again. Go is
needed. etcd takes a minute or two on two cores, Consul about six.

Consul is MPL-2.0 up to 1.16.3 and BUSL 1.1 after that: fine for testing, not for passing on.`,
		Example: `  sunder images build etcd consul raft
  sunder images build etcd@v3.5.35`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var recipes []images.Recipe
			self := false
			for _, arg := range args {
				name, version, entry, err := a.findTarget(arg)
				switch {
				case err != nil:
					return usage(cmd, err)
				case entry.Self:
					self = true
					continue
				case entry.Recipe == nil:
					return usage(cmd, fmt.Errorf("it is not known how %s is built; 'sunder run --image' takes any image", name))
				}
				recipe := entry.Recipe(version)
				if err := recipe.Check(); err != nil {
					return usage(cmd, err)
				}
				recipes = append(recipes, recipe)
			}
			engine, err := docker.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer engine.Close()
			if self {
				ref, err := engine.OwnImage(cmd.Context(), sunder.BuildInfo()["sunder"], cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is there\n", ref)
			}
			for _, r := range recipes {
				if err := buildImage(cmd, engine, r, force); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "build again what is there")
	return cmd
}

func buildImage(cmd *cobra.Command, engine *docker.Engine, r images.Recipe, force bool) error {
	ctx, say := cmd.Context(), cmd.ErrOrStderr()
	if _, ok, err := engine.HasImage(ctx, r.Ref()); err != nil {
		return err
	} else if ok && !force {
		fmt.Fprintf(cmd.OutOrStdout(), "%s is there\n", r.Ref())
		return nil
	}
	dir, err := os.MkdirTemp("", "sunder-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays, the system removes
	began := time.Now()
	fmt.Fprintf(say, "building %s %s from %s; this takes minutes\n", r.Name, r.Version, r.Module)
	if r.Licence != "" {
		fmt.Fprintf(say, "licence: %s\n", r.Licence)
	}
	progress := newPulse(say, r.Name)
	program, err := images.Build(ctx, r, engine.Arch(), dir, progress)
	progress.stop()
	if err != nil {
		return err
	}
	if err := engine.Import(ctx, r.Ref(), program, r.Path, r.Name+" "+r.Version+" from "+r.Module); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is made (%.0f s)\n", r.Ref(), time.Since(began).Seconds())
	return nil
}

// pulse shows that a build goes on: how many packages are compiled, and what the go command said last, now and then.
type pulse struct {
	w     io.Writer
	name  string
	began time.Time

	mu       sync.Mutex
	last     string
	packages int
	part     []byte // of a line
	quit     chan struct{}
	wait     sync.WaitGroup
}

func newPulse(w io.Writer, name string) *pulse {
	p := &pulse{w: w, name: name, began: time.Now(), quit: make(chan struct{})}
	p.wait.Go(func() {
		tick := time.NewTicker(plainInterval)
		defer tick.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-tick.C:
				p.mu.Lock()
				fmt.Fprintf(p.w, "  %s: %4.0f s, %d packages compiled; %s\n",
					p.name, time.Since(p.began).Seconds(), p.packages, oneLine(p.last))
				p.mu.Unlock()
			}
		}
	})
	return p
}

// stop ends it.
func (p *pulse) stop() { close(p.quit); p.wait.Wait() }

// Write implements [io.Writer]. A line of the go command that is no message is the name of a package that it compiles.
func (p *pulse) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = append(p.part, b...)
	for {
		line, rest, whole := bytes.Cut(p.part, []byte{'\n'})
		if !whole {
			return len(b), nil
		}
		p.part = rest
		if p.last = strings.TrimSpace(string(line)); p.last != "" && !strings.ContainsAny(p.last, " :#") {
			p.packages++
		}
	}
}
