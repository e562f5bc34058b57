package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"
)

// Labels of everything that a run makes.
const (
	labelRun   = "sunder.run"   // the run's name
	labelLease = "sunder.lease" // the name of its lease
	labelPlace = "sunder.place" // where the lease is
)

// Cleaned says what was removed of one run, or why nothing was.
type Cleaned struct {
	Run                           string
	Containers, Networks, Volumes int
	// Kept says why nothing was removed: the run lives, or one cannot tell.
	Kept string
}

// Clean removes what runs that are dead have left, and nothing of one that lives.
func (e *Engine) Clean(ctx context.Context) ([]Cleaned, error) {
	done, err := oneCleaner(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	runs, err := e.runs(ctx)
	if err != nil {
		return nil, err
	}
	var all []Cleaned
	var errs []error
	for _, lease := range slices.Sorted(maps.Keys(runs)) {
		run := runs[lease]
		c := Cleaned{Run: run.name, Kept: run.alive(lease)}
		if c.Kept == "" {
			removed, err := e.removeIn(ctx, cleanTimeout, lease)
			if err != nil {
				errs = append(errs, fmt.Errorf("run %s: %w", run.name, err))
				continue // the others are to go all the same
			}
			c.Containers, c.Networks, c.Volumes = removed.Containers, removed.Networks, removed.Volumes
			forgetLease(lease)
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

// cleanTimeout bounds the removing of what one dead run left: a run that begins waits for it.
const cleanTimeout = 10 * time.Second

// found is a run as the labels tell of it.
type found struct{ name, place string }

// alive says why a run must be left alone, if it must.
func (r found) alive(lease string) string {
	here, err := leasePlace()
	switch {
	case err != nil:
		return fmt.Sprintf("whether it lives cannot be told: %v", err)
	case r.place != here:
		return fmt.Sprintf("it is a run of %s, so whether it lives cannot be told here, on %s", r.place, here)
	}
	switch ended, err := leaseEnded(lease); {
	case err != nil:
		return fmt.Sprintf("whether it lives cannot be told: %v", err)
	case !ended:
		return "it lives"
	}
	return ""
}

// runs finds all runs of which anything is there, by their leases.
func (e *Engine) runs(ctx context.Context) (map[string]found, error) {
	runs := map[string]found{}
	note := func(labels map[string]string) { runs[labels[labelLease]] = found{labels[labelRun], labels[labelPlace]} }
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

// removeIn is remove with a bound of its own.
func (e *Engine) removeIn(ctx context.Context, d time.Duration, lease string) (Cleaned, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return e.remove(ctx, lease)
}

// remove removes everything of the run with the given lease, until nothing of it is there: what was
// asked for before a controller was interrupted may come about later.
func (e *Engine) remove(ctx context.Context, lease string) (c Cleaned, err error) {
	if lease == "" {
		return c, errors.New("a run without a lease")
	}
	for clean := 0; clean < 2; {
		t, err := e.things(ctx, filters.Arg("label", labelLease+"="+lease))
		if err != nil {
			return c, err
		}
		if len(t.containers)+len(t.networks)+len(t.volumes) == 0 {
			clean++
		} else {
			clean = 0
			err = e.removeThings(ctx, t, &c)
		}
		select {
		case <-ctx.Done():
			return c, errors.Join(err, ctx.Err())
		case <-time.After(removeAgain):
		}
	}
	return c, nil
}

// removeAgain is how long to wait before looking whether more has come about.
const removeAgain = 50 * time.Millisecond

// removeThings tries to remove things and counts those that it did. Networks and volumes can be removed
// only once no container uses them, and what somebody else is removing only by him.
func (e *Engine) removeThings(ctx context.Context, t things, c *Cleaned) error {
	var mu sync.Mutex
	did := func(count *int, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			*count++
		}
		return err
	}
	var group errgroup.Group
	for _, one := range t.containers {
		group.Go(func() error {
			return did(
				&c.Containers,
				e.client.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}),
			)
		})
	}
	errs := []error{group.Wait()}
	for _, one := range t.networks {
		errs = append(errs, did(&c.Networks, e.client.NetworkRemove(ctx, one.ID)))
	}
	for _, one := range t.volumes {
		errs = append(errs, did(&c.Volumes, e.client.VolumeRemove(ctx, one.Name, true)))
	}
	return errors.Join(errs...)
}
