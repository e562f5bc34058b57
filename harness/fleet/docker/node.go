package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/sunder-dev/sunder/harness"
)

// dockerNode is a node in a container that lives in the network of its pod.
type dockerNode struct {
	fleet *Fleet
	name  string
	id    string // of the container
	pod   *pod
	logs  *follower

	waiting context.CancelFunc // ends all waits for the container's end
	ctx     context.Context

	mu     sync.Mutex
	exited chan struct{} // nil before the first start
	pid    int           // of the container's first process, on this machine; 0 if it is not known
	dying  bool          // it was killed and has not been seen to end
	paused bool          // by us
}

func newDockerNode(f *Fleet, name, id string, p *pod, log io.Writer) *dockerNode {
	n := &dockerNode{fleet: f, name: name, id: id, pod: p, logs: follow(f.engine.client, id, log)}
	n.ctx, n.waiting = context.WithCancel(context.Background())
	return n
}

// Name implements [harness.Node].
func (n *dockerNode) Name() string { return n.name }

// Addr implements [harness.Node].
func (n *dockerNode) Addr(port string) string { return n.pod.reach[port] }

// Pid implements [harness.Process].
func (n *dockerNode) Pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return 0
	}
	return n.pid
}

// Exited implements [harness.Node].
func (n *dockerNode) Exited() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.exited
}

// Start implements [harness.Node].
func (n *dockerNode) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dying {
		select {
		case <-n.exited:
		case <-ctx.Done():
			return fmt.Errorf("the container was killed and does not end: %w", ctx.Err())
		}
	}
	if n.running() {
		return nil
	}
	if err := n.fleet.engine.client.ContainerStart(ctx, n.id, container.StartOptions{}); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	n.logs.started()
	exited := make(chan struct{})
	n.exited, n.dying, n.pid, n.paused = exited, false, 0, false
	if c, err := n.fleet.engine.client.ContainerInspect(ctx, n.id); err == nil && n.fleet.engine.direct() {
		n.pid = c.State.Pid
	}
	go func() {
		defer close(exited)
		n.awaitEnd()
	}()
	return nil
}

// awaitEnd returns when the container does not run any more, or nobody wants to know.
func (n *dockerNode) awaitEnd() {
	for n.ctx.Err() == nil {
		ended, failed := n.fleet.engine.client.ContainerWait(n.ctx, n.id, container.WaitConditionNotRunning)
		select {
		case <-ended:
			return
		case err := <-failed:
			if cerrdefs.IsNotFound(err) {
				return
			}
			select { // the engine is busy or gone; ask again
			case <-n.ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// running reports whether the container runs, as far as is known; the caller holds mu.
func (n *dockerNode) running() bool {
	if n.exited == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// Kill implements [harness.Node] by SIGKILL; a paused container dies of it too.
func (n *dockerNode) Kill(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return nil
	}
	if err := n.fleet.engine.client.ContainerKill(
		ctx,
		n.id,
		"SIGKILL",
	); err != nil && !cerrdefs.IsConflict(err) &&
		!cerrdefs.IsNotFound(err) {
		return fmt.Errorf("kill: %w", err)
	}
	n.dying = true
	select { // a conflict says that it ends by itself at this moment
	case <-n.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the container does not end: %w", ctx.Err())
	}
}

// Pause implements [harness.Node] by the freezer, which stops all of a container's processes.
func (n *dockerNode) Pause(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return errors.New("there is no process to pause")
	}
	isPaused := func(s *container.State) bool { return s.Paused }
	// On a busy machine the freezer fails now and then ("unable to freeze"), and succeeds a little later.
	again := time.NewTicker(pauseAgain)
	defer again.Stop()
	for {
		err := n.fleet.engine.client.ContainerPause(ctx, n.id)
		if err == nil {
			n.paused = true
			return n.confirm(ctx, "paused", isPaused)
		}
		if n.confirm(ctx, "paused", isPaused) == nil { // it has done it all the same
			n.paused = true
			return nil
		}
		select {
		case <-n.exited:
			return fmt.Errorf("pause: the container ended: %w", err)
		case <-ctx.Done():
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
			defer cancel()
			if n.confirm(asking, "running", isRunning) == nil {
				return fmt.Errorf("pause: %w: %w", err, harness.ErrDidNothing)
			}
			return fmt.Errorf("pause: %w", err)
		case <-again.C:
		}
	}
}

// pauseAgain is how long to wait before a pause that failed is tried again.
const pauseAgain = 250 * time.Millisecond

// Drain implements [harness.Drainer].
func (n *dockerNode) Drain(ctx context.Context) { n.logs.drain(ctx) }

// Resume implements [harness.Node].
func (n *dockerNode) Resume(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running() {
		return nil // it died meanwhile, which is reported elsewhere
	}
	n.paused = false
	if n.confirm(ctx, "running", isRunning) == nil {
		return nil // it was never paused, although somebody tried
	}
	if err := n.fleet.engine.client.ContainerUnpause(ctx, n.id); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return n.confirm(ctx, "running", isRunning)
}

func isRunning(s *container.State) bool { return !s.Paused }

// confirm asks the engine whether the container is in the state that it should be in by now.
func (n *dockerNode) confirm(ctx context.Context, what string, is func(*container.State) bool) error {
	c, err := n.fleet.engine.client.ContainerInspect(ctx, n.id)
	if err != nil {
		return err
	}
	if !is(c.State) {
		return fmt.Errorf("the container is not %s but %s", what, c.State.Status)
	}
	return nil
}

// Unplug implements [harness.Unplugger]. The agent cannot be told anything meanwhile, so it is told
// beforehand to let nothing in: whatever links are cut by the time that the network is back, none is
// whole for a moment.
func (n *dockerNode) Unplug(ctx context.Context) error {
	f, p := n.fleet, n.pod
	if !f.engine.direct() {
		return fmt.Errorf("where ports are forwarded, a node that is plugged in again has others: %w", harness.ErrUnsupported)
	}
	closed := map[netip.Addr]harness.Impairment{}
	for _, other := range f.pods {
		if other != p {
			closed[other.addr] = harness.Impairment{Drop: true}
		}
	}
	p.talk.Lock()
	defer p.talk.Unlock()
	if _, err := p.agent.Set(ctx, closed); err != nil {
		return err
	}
	seen, err := p.agent.Traffic(ctx)
	if err != nil {
		return err
	}
	p.unplugged, p.lastSeen = true, seen
	p.agent.Close() // its connections would only die slowly
	if err := f.engine.client.NetworkDisconnect(ctx, f.network, p.id, true); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return n.confirmPlugged(ctx, false)
}

// Plug implements [harness.Unplugger].
func (n *dockerNode) Plug(ctx context.Context) error {
	f, p := n.fleet, n.pod
	p.talk.Lock()
	defer p.talk.Unlock()
	if n.confirmPlugged(ctx, true) != nil { // it may never have been pulled out
		err := f.engine.client.NetworkConnect(ctx, f.network, p.id, &network.EndpointSettings{
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: p.addr.String()},
		})
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if err := n.confirmPlugged(ctx, true); err != nil {
			return err
		}
	}
	if err := f.awaitAgent(ctx, p); err != nil {
		return err
	}
	if _, err := p.agent.Set(ctx, f.incoming(n.name)); err != nil {
		return err
	}
	p.unplugged, p.lastSeen = false, nil
	return nil
}

// confirmPlugged asks the engine whether the pod is in the run's network, with its address.
func (n *dockerNode) confirmPlugged(ctx context.Context, want bool) error {
	c, err := n.fleet.engine.client.ContainerInspect(ctx, n.pod.id)
	if err != nil {
		return err
	}
	is := n.fleet.plugged(c, n.pod)
	if is != want {
		return fmt.Errorf("the node is in its network with its address: %t, and should be: %t", is, want)
	}
	return nil
}

// end kills the node and reads the last of its log.
func (n *dockerNode) end(ctx context.Context) error {
	err := n.Kill(ctx)
	n.logs.end(ctx)
	n.waiting()
	if exited := n.Exited(); exited != nil {
		<-exited
	}
	return err
}
