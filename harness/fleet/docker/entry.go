package docker

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Entry is the docker fleet in a catalogue.
func Entry() harness.FleetEntry {
	return harness.FleetEntry{
		About:  "containers in a network of their own; every link under packet rules",
		Can:    Can(),
		Weight: 3,
		New: func(flags *flag.FlagSet) harness.FleetOptions {
			o := &options{}
			flags.StringVar(&o.image, "image", "",
				"image of the target's nodes, instead of the official one or one that was built here")
			return o
		},
		Examine: examine,
		Clean:   clean,
	}
}

// clean removes what dead runs left, and images of other builds of sunder.
func clean(ctx context.Context) (removed []string, err error) {
	engine, err := Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	runs, err := engine.Clean(ctx)
	for _, r := range runs {
		if r.Kept != "" {
			removed = append(removed, fmt.Sprintf("kept     %s: %s", r.Run, r.Kept))
			continue
		}
		removed = append(removed, fmt.Sprintf("removed  %s: %d containers, %d networks, %d volumes", r.Run, r.Containers,
			r.Networks, r.Volumes))
	}
	stale, imagesErr := engine.CleanImages(ctx)
	for _, ref := range stale {
		removed = append(removed, fmt.Sprintf("removed  image %s, which this sunder does not use", ref))
	}
	return removed, errors.Join(err, imagesErr)
}

type options struct{ image string }

// Check implements [harness.FleetOptions].
func (o *options) Check(c harness.FleetConfig) error {
	if c.Target.Installed && c.Target.Files == nil {
		return errors.New("the target's program is one of this machine, of which nobody knows what else it needs: no image " +
			"can be made of it")
	}
	if !c.Target.Self && !c.Target.Installed && c.Target.Image == nil && c.Target.Recipe == nil && o.image == "" {
		return errors.New("the target has no image; name one by --image")
	}
	return nil
}

// Available implements [harness.FleetOptions]: an engine answers, and has the image of the nodes or can pull it.
func (o *options) Available(ctx context.Context, c harness.FleetConfig) error {
	engine, err := Connect(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	if c.Target.Self && o.image == "" {
		return nil
	}
	if c.Target.Installed && o.image == "" {
		_, err := c.Target.Files()
		return cmp.Or(err, runsHere(engine))
	}
	official, built := Images(c.Target, c.Version)
	candidates := []string{official, built}
	if o.image != "" {
		candidates = []string{o.image}
	}
	for _, ref := range candidates {
		if _, ok, err := engine.HasImage(ctx, ref); ref != "" && (ok || err != nil) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	if _, err := engine.client.DistributionInspect(ctx, candidates[0], ""); err != nil {
		return fmt.Errorf("the engine has no image of %s, and the registry of %s cannot be reached",
			c.Version, cmp.Or(candidates[0], "none"))
	}
	return nil
}

// registryTimeout is how long a registry may take to say that it has an image.
const registryTimeout = 5 * time.Second

// Open implements [harness.FleetOptions]: it connects to the engine and sees that the images are there.
func (o *options) Open(ctx context.Context, c harness.FleetConfig) (_ harness.Fleet, _ map[string]string, err error) {
	engine, err := Connect(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w\n'sunder doctor' says what is missing; the built-in Raft runs without containers: "+
			"--target raft --fleet local", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, engine.Close())
		}
	}()
	own, err := o.ownImage(ctx, engine, c)
	if err != nil {
		return nil, nil, err
	}
	config := Config{Name: filepath.Base(c.Dir), Agent: own, Image: own}
	switch {
	case c.Target.Installed: // what sunder launches there is in the image beside it
	case o.image != "":
		config.Image, err = o.image, needImage(ctx, engine, o.image, c.Say)
	case !c.Target.Self:
		config.Image, err = ServerImage(ctx, engine, c.Target, c.Version, c.Say)
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Target.Self {
		config.Program = AgentProgram
	}
	id, _, err := engine.HasImage(ctx, config.Image)
	if err != nil {
		return nil, nil, err
	}
	facts := engine.Facts()
	return New(engine, config), map[string]string{
		"engine": facts.Version, "engine_api": facts.API, "kernel": facts.Kernel, "cgroup": facts.Cgroup,
		"storage": facts.Storage, "agent": own, "image": config.Image, "image_id": id,
	}, nil
}

// ownImage returns the image with sunder for agents and companions, and, if it is to launch the target's program, for
// nodes: with that program, of this machine or of the image that was named.
func (o *options) ownImage(ctx context.Context, engine *Engine, c harness.FleetConfig) (string, error) {
	if !c.Target.Installed {
		return engine.OwnImage(ctx, c.Sunder, c.Say)
	}
	base := o.image
	if base != "" {
		if err := needImage(ctx, engine, base, c.Say); err != nil {
			return "", err
		}
	} else {
		files, err := c.Target.Files()
		if err != nil {
			return "", fmt.Errorf("%w; or name an image that has it by --image", err)
		}
		if base, err = engine.FilesImage(ctx, files, c.Say); err != nil {
			return "", err
		}
	}
	return engine.WithSelf(ctx, base, c.Say)
}

// Images returns the names that the image of a version of a server may have: the official one, and the one that is
// built here.
func Images(t harness.TargetEntry, version string) (official, built string) {
	if t.Image != nil {
		official = t.Image(version)
	}
	if t.Recipe != nil {
		built = t.Recipe(version).Ref()
	}
	return official, built
}

// ServerImage finds an image of a server: the official one or ours, whichever is there, or the
// official one from its registry.
func ServerImage(
	ctx context.Context,
	engine *Engine,
	t harness.TargetEntry,
	version string,
	say io.Writer,
) (string, error) {
	official, built := Images(t, version)
	for _, ref := range []string{official, built} {
		if ref == "" {
			continue
		}
		if _, ok, err := engine.HasImage(ctx, ref); ok || err != nil {
			return ref, err
		}
	}
	err := errors.New("there is no official image")
	if official != "" {
		err = pull(ctx, engine, official, say)
	}
	if err != nil {
		if t.Recipe == nil {
			return "", fmt.Errorf("no image of %s is here: %w", version, err)
		}
		r := t.Recipe(version)
		return "", fmt.Errorf("no image of %s %s is here, and the official one cannot be had (%w).\n"+
			"Build one from source, once: sunder images build %s@%s", r.Name, r.Version, err, r.Name, r.Version)
	}
	return official, nil
}

// needImage sees that an image is there, or gets it.
func needImage(ctx context.Context, engine *Engine, ref string, say io.Writer) error {
	if _, ok, err := engine.HasImage(ctx, ref); ok || err != nil {
		return err
	}
	return pull(ctx, engine, ref, say)
}

// pull gets an image from its registry, and says so. An engine that reaches no registry can take long
// to notice, so it is given a limited time to make any progress.
func pull(ctx context.Context, engine *Engine, ref string, say io.Writer) error {
	fmt.Fprintf(say, "pulling %s\n", ref)
	ctx, stalled := newStall(ctx, pullPatience)
	defer stalled.stop()
	err := engine.Pull(ctx, ref, func(string) { stalled.moved() })
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("pull %s: %w", ref, context.Cause(ctx))
	}
	return err
}
