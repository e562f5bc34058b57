package docker

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Inspect implements [harness.Inspector]: somebody who cleans up an engine, or tries out a chaos tool on it, may hit
// a run's containers too. Without this it would be the cluster that does not recover, or an agent that does not
// answer.
func (f *Fleet) Inspect(ctx context.Context) error {
	var errs []error
	for _, name := range f.order {
		p := f.pods[name]
		if p == nil || p.id == "" {
			continue
		}
		p.talk.Lock()
		errs = append(errs, f.inspectPod(ctx, name, p))
		p.talk.Unlock()
	}
	f.mu.Lock()
	nodes := f.nodes
	f.mu.Unlock()
	for _, name := range f.order {
		if n := nodes[name]; n != nil {
			errs = append(errs, n.inspect(ctx))
		}
	}
	return errors.Join(errs...)
}

// inspectPod says what is not as we left it of a pod, whose lock the caller holds.
func (f *Fleet) inspectPod(ctx context.Context, name string, p *pod) error {
	c, err := f.engine.client.ContainerInspect(ctx, p.id)
	switch {
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("the pod of %s, which owns its network, was removed", name)
	case err != nil:
		return nil //nolint:nilerr // an engine that does not answer shows elsewhere
	case c.State.Paused:
		return fmt.Errorf("the pod of %s, which owns its network, was paused", name)
	case !c.State.Running:
		return fmt.Errorf("the pod of %s, which owns its network, was ended with code %d%s",
			name, c.State.ExitCode, f.lastWords(p.id))
	case p.began != "" && c.State.StartedAt != p.began:
		return fmt.Errorf(
			"the pod of %s, which owns its network, was restarted at %s: its packet rules and counters are gone",
			name,
			c.State.StartedAt,
		)
	case !p.unplugged && !f.plugged(c, p):
		return fmt.Errorf("the pod of %s was disconnected from the run's network", name)
	}
	return nil
}

// plugged says whether a pod is in the run's network, with its address.
func (f *Fleet) plugged(c container.InspectResponse, p *pod) bool {
	for _, e := range c.NetworkSettings.Networks {
		if e.NetworkID == f.network && e.IPAddress == p.addr.String() {
			return true
		}
	}
	return false
}

// inspect says what is not as we left it of a node.
func (n *dockerNode) inspect(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return nil // who ended it, the cluster knows
	}
	c, err := n.fleet.engine.client.ContainerInspect(ctx, n.id)
	switch {
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("the container of %s was removed", n.name)
	case err != nil:
		return nil //nolint:nilerr // an engine that does not answer shows elsewhere
	case c.State.Paused && !n.paused:
		return fmt.Errorf("the container of %s was paused", n.name)
	case !c.State.Paused && n.paused:
		return fmt.Errorf("the container of %s, which was paused, was resumed", n.name)
	}
	return nil
}
