package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"
)

// Labels of everything that a run makes.
const (
	labelRun   = "sunder.run"   // the run's name
	labelLease = "sunder.lease" // the file that is locked as long as the run lives
	labelHost  = "sunder.host"  // the machine, or container, that the file is on
)

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// Cleaned says what was removed of one run, or why nothing was.
type Cleaned struct {
	Run                           string
	Containers, Networks, Volumes int
	// Kept says why nothing was removed: the run lives, or one cannot tell.
	Kept string
}

// Clean removes what runs that are dead have left, and nothing of one that lives.
func (e *Engine) Clean(ctx context.Context) ([]Cleaned, error) {
	runs, err := e.runs(ctx)
	if err != nil {
		return nil, err
	}
	var all []Cleaned
	for _, path := range slices.Sorted(maps.Keys(runs)) {
		run := runs[path]
		c := Cleaned{Run: run.name, Kept: run.alive(path)}
		if c.Kept == "" {
			removed, err := e.remove(ctx, path)
			if err != nil {
				return all, fmt.Errorf("run %s: %w", run.name, err)
			}
			c.Containers, c.Networks, c.Volumes = removed.Containers, removed.Networks, removed.Volumes
			_ = os.Remove(path) // of a run that was killed
		}
		all = append(all, c)
	}
	return all, nil
}

// found is a run as the labels tell of it.
type found struct{ name, host string }

// alive says why a run must be left alone, if it must.
func (r found) alive(lease string) string {
	if r.host != hostName() {
		return fmt.Sprintf("it was started on %s, so whether it lives cannot be told here", r.host)
	}
	switch ended, err := leaseEnded(lease); {
	case err != nil:
		return fmt.Sprintf("whether it lives cannot be told: %v", err)
	case !ended:
		return "it lives"
	}
	return ""
}

// runs finds all runs of which anything is there, by the path of the lease.
func (e *Engine) runs(ctx context.Context) (map[string]found, error) {
	runs := map[string]found{}
	note := func(labels map[string]string) { runs[labels[labelLease]] = found{labels[labelRun], labels[labelHost]} }
	things, err := e.things(ctx, filters.Arg("label", labelLease))
	if err != nil {
		return nil, err
	}
	for _, c := range things.containers {
		note(c.Labels)
	}
	for _, n := range things.networks {
		note(n.Labels)
	}
	for _, v := range things.volumes {
		note(v.Labels)
	}
	return runs, nil
}

// things are what runs make.
type things struct {
	containers []container.Summary
	networks   []network.Summary
	volumes    []*volume.Volume
}

func (e *Engine) things(ctx context.Context, label filters.KeyValuePair) (t things, err error) {
	by := filters.NewArgs(label)
	if t.containers, err = e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: by}); err != nil {
		return t, err
	}
	if t.networks, err = e.client.NetworkList(ctx, network.ListOptions{Filters: by}); err != nil {
		return t, err
	}
	volumes, err := e.client.VolumeList(ctx, volume.ListOptions{Filters: by})
	t.volumes = volumes.Volumes
	return t, err
}

// remove removes everything of the run with the given lease. Networks and volumes can be removed only
// once no container uses them.
func (e *Engine) remove(ctx context.Context, lease string) (c Cleaned, err error) {
	if lease == "" {
		return c, errors.New("a run without a lease")
	}
	t, err := e.things(ctx, filters.Arg("label", labelLease+"="+lease))
	if err != nil {
		return c, err
	}
	var mu sync.Mutex
	did := func(count *int, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			*count++
		}
		if cerrdefs.IsNotFound(err) {
			return nil // somebody else was faster
		}
		return err
	}
	var group errgroup.Group
	for _, one := range t.containers {
		group.Go(func() error {
			return did(&c.Containers, e.client.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
		})
	}
	errs := []error{group.Wait()}
	for _, one := range t.networks {
		errs = append(errs, did(&c.Networks, e.client.NetworkRemove(ctx, one.ID)))
	}
	for _, one := range t.volumes {
		errs = append(errs, did(&c.Volumes, e.client.VolumeRemove(ctx, one.Name, true)))
	}
	return c, errors.Join(errs...)
}
