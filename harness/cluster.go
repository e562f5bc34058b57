package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness/history"
)

// Cluster is a target on a fleet: the one place that knows which nodes run, which links are cut,
// and how to undo it all. Faults of several lanes may overlap; what two of them broke is whole
// again only when both are healed.
type Cluster struct {
	target Target
	fleet  Fleet
	names  []string
	// onExit is told of a node whose process ended without our doing.
	onExit func(node string)

	shaping sync.Mutex // held while links are decided upon and brought to their state
	mu      sync.Mutex // guards cuts and members' fields
	members map[string]*member
	cuts    map[Link]int // how many faults cut a link
}

// member is a node and what faults did to it.
type member struct {
	act    sync.Mutex // held while the process is being acted upon
	node   Node
	killed int // by how many faults
	paused int
	exited bool // by itself
}

// NewCluster returns a cluster that is not launched yet. The function onExit is told of nodes
// that end by themselves; it may be called from any goroutine.
func NewCluster(t Target, f Fleet, nodes []string, onExit func(node string)) *Cluster {
	return &Cluster{target: t, fleet: f, names: nodes, onExit: onExit, members: map[string]*member{}, cuts: map[Link]int{}}
}

// Nodes returns the names of all nodes, in order.
func (c *Cluster) Nodes() []string { return c.names }

// Node returns a launched node.
func (c *Cluster) Node(name string) Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[name].node
}

// Launch starts all nodes side by side. What they print goes to the writers that logs returns.
func (c *Cluster) Launch(ctx context.Context, seed uint64, logs func(node string) io.Writer) error {
	if err := c.fleet.Plan(ctx, c.names, c.target.Ports()); err != nil {
		return fmt.Errorf("plan the cluster: %w", err)
	}
	var group errgroup.Group
	for _, name := range c.names {
		place := c.fleet.Placement(name)
		place.Seed = seed
		spec := c.target.Spec(place)
		group.Go(func() error {
			node, err := c.fleet.Launch(ctx, spec, logs(name))
			if err != nil {
				return fmt.Errorf("launch %s: %w", name, err)
			}
			m := &member{node: node}
			c.mu.Lock()
			c.members[name] = m
			c.mu.Unlock()
			c.watch(m, node.Exited())
			return nil
		})
	}
	return group.Wait()
}

// watch waits for the end of a node's process and reports it if no fault asked for it.
func (c *Cluster) watch(m *member, exited <-chan struct{}) {
	go func() {
		<-exited
		c.mu.Lock()
		unasked := m.killed == 0
		m.exited = unasked
		c.mu.Unlock()
		if unasked {
			c.onExit(m.node.Name())
		}
	}()
}

// Serving waits until every node answers and all agree on one leader.
func (c *Cluster) Serving(ctx context.Context) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		statuses, err := c.statuses(ctx, c.names)
		if err == nil {
			if err = agree(statuses); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not serve: %w (%w)", err, ctx.Err())
		case <-tick.C:
		}
	}
}

// agree says why the statuses are not those of a cluster with one leader that all know.
func agree(statuses map[string]history.Status) error {
	leader := ""
	for name, s := range statuses {
		switch {
		case s.Leader == "":
			return fmt.Errorf("%s knows no leader", name)
		case leader != "" && leader != s.Leader:
			return fmt.Errorf("nodes follow %s and %s", leader, s.Leader)
		}
		leader = s.Leader
	}
	if statuses[leader].Role != "leader" {
		return fmt.Errorf("%s is followed but does not lead", leader)
	}
	return nil
}

// statusTimeout bounds one node's answer about itself.
const statusTimeout = 500 * time.Millisecond

// statuses asks nodes about themselves, side by side. The error is that of any node that did
// not answer; the others' answers are returned all the same.
func (c *Cluster) statuses(ctx context.Context, names []string) (map[string]history.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var mu sync.Mutex
	answers := make(map[string]history.Status, len(names))
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error {
			s, err := c.target.Status(ctx, c.Node(name))
			if err != nil {
				return fmt.Errorf("status of %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[name] = s
			return nil
		})
	}
	err := group.Wait()
	return answers, err
}

// View asks the cluster how it is, for the nemesis to aim.
func (c *Cluster) View(ctx context.Context) View {
	v := View{Nodes: c.names, Up: c.up()}
	statuses, _ := c.statuses(ctx, v.Up) // those that do not answer do not lead, as far as one can see
	for name, s := range statuses {
		if s.Role == "leader" {
			v.Leaders = append(v.Leaders, name)
		}
	}
	slices.SortFunc(v.Leaders, func(a, b string) int {
		return cmp.Or(cmp.Compare(statuses[b].Term, statuses[a].Term), cmp.Compare(a, b))
	})
	return v
}

func (c *Cluster) up() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var up []string
	for _, name := range c.names {
		if m := c.members[name]; m.killed == 0 && m.paused == 0 && !m.exited {
			up = append(up, name)
		}
	}
	return up
}

// Revive starts the nodes that ended by themselves.
func (c *Cluster) Revive(ctx context.Context) error {
	return c.each(c.names, func(m *member) error {
		c.mu.Lock()
		dead := m.exited && m.killed == 0
		m.exited = false
		c.mu.Unlock()
		if !dead {
			return nil
		}
		return c.launchAgain(ctx, m)
	})
}

// Close ends all nodes.
func (c *Cluster) Close() error {
	c.mu.Lock()
	for _, m := range c.members {
		m.killed++ // from here on, an end is what we asked for
	}
	c.mu.Unlock()
	return c.fleet.Close()
}

// each acts on members side by side, one action a member at a time.
func (c *Cluster) each(names []string, act func(*member) error) error {
	errs := make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		c.mu.Lock()
		m := c.members[name]
		c.mu.Unlock()
		wait.Go(func() {
			m.act.Lock()
			defer m.act.Unlock()
			if err := act(m); err != nil {
				errs[i] = fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// count changes how many faults hold a member down and returns both counts.
func (c *Cluster) count(m *member, killed, paused int) (nowKilled, nowPaused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.killed += killed
	m.paused += paused
	return m.killed, m.paused
}

// kill ends nodes and returns those that it ended: others were down already.
func (c *Cluster) kill(ctx context.Context, names []string) (hit []string, err error) {
	return c.hit(names, func(m *member) (bool, error) {
		if killed, _ := c.count(m, +1, 0); killed > 1 {
			return false, nil
		}
		return true, m.node.Kill(ctx)
	})
}

// hit acts on members side by side and returns those on which it did act.
func (c *Cluster) hit(names []string, act func(*member) (bool, error)) (hit []string, err error) {
	var mu sync.Mutex
	err = c.each(names, func(m *member) error {
		did, err := act(m)
		if did && err == nil {
			mu.Lock()
			hit = append(hit, m.node.Name())
			mu.Unlock()
		}
		return err
	})
	slices.Sort(hit)
	return hit, err
}

func (c *Cluster) start(ctx context.Context, names []string) error {
	return c.each(names, func(m *member) error {
		killed, paused := c.count(m, -1, 0)
		if killed > 0 {
			return nil
		}
		if err := c.launchAgain(ctx, m); err != nil {
			return err
		}
		if paused > 0 {
			return m.node.Pause(ctx)
		}
		return nil
	})
}

func (c *Cluster) launchAgain(ctx context.Context, m *member) error {
	if err := m.node.Start(ctx); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	c.watch(m, m.node.Exited())
	return nil
}

// pause stops nodes and returns those that it stopped: others were down already.
func (c *Cluster) pause(ctx context.Context, names []string) (hit []string, err error) {
	return c.hit(names, func(m *member) (bool, error) {
		if killed, paused := c.count(m, 0, +1); killed > 0 || paused > 1 {
			return false, nil
		}
		return true, m.node.Pause(ctx)
	})
}

func (c *Cluster) resume(ctx context.Context, names []string) error {
	return c.each(names, func(m *member) error {
		if killed, paused := c.count(m, 0, -1); killed > 0 || paused > 0 {
			return nil
		}
		return m.node.Resume(ctx)
	})
}

// shape adds n to the number of faults that cut each link, and brings the links to the state
// that follows, all at once.
func (c *Cluster) shape(ctx context.Context, links []Link, n int) error {
	c.shaping.Lock()
	defer c.shaping.Unlock()
	changed := make(map[Link]Impairment)
	c.mu.Lock()
	for _, l := range links {
		before := c.cuts[l] > 0
		c.cuts[l] += n
		if after := c.cuts[l] > 0; after != before {
			changed[l] = Impairment{Drop: after}
		}
	}
	c.mu.Unlock()
	var group errgroup.Group
	for l, i := range changed {
		group.Go(func() error {
			if err := c.fleet.Shape(ctx, l, i); err != nil {
				return fmt.Errorf("link %v: %w", l, err)
			}
			return nil
		})
	}
	return group.Wait()
}
