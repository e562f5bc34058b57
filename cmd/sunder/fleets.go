package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet"
	"github.com/sunder-dev/sunder/harness/images"
)

// The fleets.
const (
	fleetAuto   = "auto"
	fleetLocal  = "local"
	fleetDocker = "docker"
)

// fleetEntry is one fleet of the list.
type fleetEntry struct {
	about string
	new   func(ctx context.Context, f *runFlags, dir string, say io.Writer) (harness.Fleet, error)
}

var fleets = map[string]fleetEntry{
	fleetLocal:  {"child processes on loopback; every link through a proxy of its own; the built-in Raft only", newLocalFleet},
	fleetDocker: {"containers in a network of their own; every link under packet rules", newDockerFleet},
}

// chooseFleet settles what auto means, and says why in a few words. Its errors are about flags.
func (f *runFlags) chooseFleet(target string, entry targetEntry, lanes []harness.Lane) (why string, err error) {
	needs := "" // why it must be containers, if it must
	for _, l := range lanes {
		if l.Containers {
			needs = "nemesis " + l.Name + " needs containers"
		}
	}
	if entry.recipe != nil {
		needs = target + " runs in containers only"
	}
	_, known := fleets[f.fleet]
	switch {
	case f.fleet != fleetAuto && !known:
		return "", fmt.Errorf("--fleet: unknown fleet %q; known are %s, %s", f.fleet, fleetAuto, names(fleets))
	case f.fleet == fleetLocal && needs != "":
		return "", fmt.Errorf("--fleet local: %s; use --fleet docker", needs)
	case f.latency > 0 && (f.fleet == fleetDocker || needs != ""):
		return "", errors.New("--latency: the docker fleet cannot slow links down yet; only the local one can")
	case f.fleet != fleetAuto:
		return "as asked for", nil
	case needs != "":
		f.fleet = fleetDocker
		return needs, nil
	}
	f.fleet = fleetLocal
	return target + " needs no containers", nil
}

func newLocalFleet(_ context.Context, f *runFlags, dir string, _ io.Writer) (harness.Fleet, error) {
	data, err := filepath.Abs(filepath.Join(dir, fleet.DataDir))
	if err != nil {
		return nil, err
	}
	return fleet.NewLocal(data, f.latency), nil
}

// newDockerFleet connects to the engine and sees that the images are there.
func newDockerFleet(ctx context.Context, f *runFlags, dir string, say io.Writer) (_ harness.Fleet, err error) {
	engine, err := fleet.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w\n'sunder doctor' says what is missing; the built-in Raft runs without containers: --target raft --fleet local", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, engine.Close())
		}
	}()
	own, err := ownImage(ctx, engine, say)
	if err != nil {
		return nil, err
	}
	config := fleet.DockerConfig{Name: filepath.Base(dir), Agent: own, Image: own}
	_, version, entry, err := findTarget(f.target)
	if err != nil {
		return nil, err
	}
	switch {
	case f.image != "":
		config.Image, err = f.image, needImage(ctx, engine, f.image, say)
	case entry.recipe != nil:
		config.Image, err = serverImage(ctx, engine, entry.recipe(version), say)
	}
	if err != nil {
		return nil, err
	}
	facts := engine.Facts()
	id, _, err := engine.HasImage(ctx, config.Image)
	if err != nil {
		return nil, err
	}
	f.build = map[string]string{"engine": facts.Version, "engine_api": facts.API, "kernel": facts.Kernel, "cgroup": facts.Cgroup, "storage": facts.Storage, "agent": own, "image": config.Image, "image_id": id}
	return fleet.NewDocker(engine, config), nil
}

// serverImage finds an image of a server: the official one or ours, whichever is there, or the
// official one from its registry.
func serverImage(ctx context.Context, engine *fleet.Engine, r images.Recipe, say io.Writer) (string, error) {
	for _, ref := range []string{r.Official, r.Ref()} {
		if _, ok, err := engine.HasImage(ctx, ref); ok || err != nil {
			return ref, err
		}
	}
	if err := pull(ctx, engine, r.Official, say); err != nil {
		return "", fmt.Errorf("no image of %s %s is here, and the official one cannot be had (%w).\nBuild one from source, once: sunder images build %s@%s", r.Name, r.Version, err, r.Name, r.Version)
	}
	return r.Official, nil
}

// needImage sees that an image is there, or gets it.
func needImage(ctx context.Context, engine *fleet.Engine, ref string, say io.Writer) error {
	if _, ok, err := engine.HasImage(ctx, ref); ok || err != nil {
		return err
	}
	return pull(ctx, engine, ref, say)
}

// pull gets an image from its registry, and says so. An engine that reaches no registry can take long
// to notice, so it is given a limited time to make any progress.
func pull(ctx context.Context, engine *fleet.Engine, ref string, say io.Writer) error {
	fmt.Fprintf(say, "pulling %s\n", ref)
	ctx, stalled := newStall(ctx, pullPatience)
	defer stalled.stop()
	err := engine.Pull(ctx, ref, func(string) { stalled.moved() })
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("pull %s: %w", ref, context.Cause(ctx))
	}
	return err
}

// ownImage is the image of this very sunder.
func ownImage(ctx context.Context, engine *fleet.Engine, say io.Writer) (string, error) {
	return engine.OwnImage(ctx, buildInfo()["sunder"], say)
}
