// Package netns runs nodes as processes in network namespaces of their own: real servers under the kernel's packet
// rules, with no root, no container engine and no images. The whole run is inside namespaces, which end with it.
package netns

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/packets"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/programs"
)

// Entry is the netns fleet in a catalogue.
func Entry() harness.FleetEntry {
	return harness.FleetEntry{
		About:  "processes in network namespaces; every link under packet rules; Linux, no root, no containers",
		Can:    Can(),
		Weight: 4,
		New: func(flags *flag.FlagSet) harness.FleetOptions {
			o := &options{}
			flags.StringVar(&o.program, "program", "",
				"the target's program, instead of one that is built; see 'sunder build'")
			return o
		},
		Examine: examine,
	}
}

// Can is what netns fleets can do, where the kernel has all that it takes.
func Can() []harness.Capability {
	return append(packets.Can(),
		harness.NodeAddress, harness.NodeProgram, harness.NodeKill, harness.NodePause, harness.NodeUnplug, harness.NodeWipe,
		harness.NodeRelaunch, harness.ClientCut,
	)
}

type options struct{ program string }

// Check implements [harness.FleetOptions].
func (o *options) Check(c harness.FleetConfig) error {
	switch {
	case runtime.GOOS != "linux":
		return errors.New("network namespaces are Linux's")
	case o.program == "" && !c.Target.Self && !c.Target.Installed && c.Target.Recipe == nil:
		return errors.New("it is not known how the target is built; name its program by --program")
	case o.program != "" && c.Target.Installed:
		return errors.New(
			"--program is for targets that sunder builds; this one says itself which program of this machine it is",
		)
	case o.program != "" && len(c.OtherVersions) > 0:
		return errors.New("--program is one program, and several versions are asked for")
	case c.Nodes > mostNodes:
		return fmt.Errorf("--nodes: at the most %d nodes have addresses", mostNodes)
	}
	return nil
}

// mostNodes is how many nodes have an address.
const mostNodes = 200

// Available implements [harness.FleetOptions].
func (o *options) Available(ctx context.Context, c harness.FleetConfig) error {
	if _, err := works(ctx); err != nil {
		return err
	}
	return installed(c)
}

// installed says what the target needs that is not on this machine.
func installed(c harness.FleetConfig) error {
	if !c.Target.Installed || c.Target.Files == nil {
		return nil
	}
	_, err := c.Target.Files()
	return err
}

// Inside implements [harness.Enclosed].
func (o *options) Inside() bool { return Inside() }

// Enter implements [harness.Enclosed]. The program is built here: inside, no module proxy can be reached.
func (o *options) Enter(
	ctx context.Context, c harness.FleetConfig, args []string, stdout, stderr io.Writer,
) (code int, err error) {
	for _, version := range append([]string{c.Version}, c.OtherVersions...) {
		if _, _, err := o.find(ctx, c, version, true); err != nil {
			return 0, err
		}
	}
	return Enter(ctx, args, c.Typed, stdout, stderr)
}

// Door implements [harness.Doored].
func (o *options) Door() string { return Door() }

// Open implements [harness.FleetOptions].
func (o *options) Open(ctx context.Context, c harness.FleetConfig) (harness.Fleet, map[string]string, error) {
	if !Inside() {
		return nil, nil, errors.New("the netns fleet works inside namespaces only; see netns.Enter")
	}
	program, from, err := o.find(ctx, c, c.Version, false)
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Join(c.Dir, history.DataDir))
	if err != nil {
		return nil, nil, err
	}
	f, facts := New(dir, program), map[string]string{"program": program, "program_from": from}
	others := make(map[string]string)
	for _, version := range c.OtherVersions {
		if others[version], from, err = o.find(ctx, c, version, false); err != nil {
			return nil, nil, err
		}
		facts["program_"+version], facts["program_from_"+version] = others[version], from
	}
	f.Stock(others)
	return f, facts, nil
}

// find finds the program of the nodes: the one that was named, sunder itself, one of the cache, which is built if that
// is wanted, or one on PATH where there is no Go to build it with.
func (o *options) find(
	ctx context.Context, c harness.FleetConfig, version string, build bool,
) (program, from string, err error) {
	if o.program != "" {
		program, err = filepath.Abs(o.program)
		if info, statErr := os.Stat(program); err == nil && (statErr != nil || info.IsDir() || info.Mode()&0o111 == 0) {
			err = fmt.Errorf("--program %s: it is no program: %w", o.program, errors.Join(statErr, os.ErrInvalid))
		}
		return program, "--program", err
	}
	if c.Target.Installed {
		return "", "the target's description", installed(c)
	}
	if c.Target.Self {
		program, err = os.Executable()
		return program, "sunder itself", err
	}
	recipe := c.Target.Recipe(version)
	program, there, err := programs.Cached(recipe, runtime.GOARCH)
	if err != nil || there {
		return program, "built from " + recipe.Module, err
	}
	_, noGo := exec.LookPath("go")
	if build && noGo == nil {
		program, err = programs.Program(ctx, recipe, runtime.GOARCH, false, c.Say)
		return program, "built from " + recipe.Module, err
	}
	if program, err = exec.LookPath(recipe.Name); err == nil {
		fmt.Fprintf(c.Say, "%s is taken from PATH, whatever its version: there is no Go to build %s with\n", program,
			recipe.Version)
		return program, "PATH", nil
	}
	return "", "", fmt.Errorf("no program of %s %s is here, and there is no Go to build it with (https://go.dev/dl); "+
		"'sunder build %s@%s' on a machine like this one makes one, and --program names it",
		recipe.Name, recipe.Version, recipe.Name, recipe.Version)
}
