package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
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
	names  []string // of all nodes, members or not
	// onExit is told of a node whose process ended without our doing.
	onExit func(node string)
	// OnMembers, if it is there, is told who is a member when that changes.
	OnMembers func(nodes []string)
	// LastWords, if it is there, returns the last lines that a node wrote.
	LastWords func(node string) []string
	// OtherVersions are those that nodes can be restarted as.
	OtherVersions []string
	// Sites say which nodes are near each other.
	Sites Sites

	naming   sync.Mutex // held while it is decided who is a member, and told
	removing sync.Mutex // held while it is decided who is removed, or becomes another version
	shaping  sync.Mutex // held while links are decided upon and brought to their state
	timing   sync.Mutex // held while links become slower, and while that is measured, or mended
	mu       sync.Mutex // guards impaired, current, and members' fields
	members  map[string]*member
	current  []string // those that are members of the cluster now
	seed     uint64
	impaired map[Link][]Impairment // by each fault that a link suffers from
}

// member is a node and what faults did to it.
type member struct {
	act    sync.Mutex // held while the process is being acted upon
	node   Node
	held   holds
	life   *life
	exited bool // by itself

	standing standing
	version  string // if it is another one than was launched
	// incarnation is how often it was started as a new member.
	incarnation int
}

// life is a process of a node's, from its start to its end. It may be noticed late that it has ended, when the next one
// runs already.
type life struct {
	asked bool // to end, by a fault or by us
}

// NewCluster returns a cluster that is not launched yet. The function onExit is told of nodes
// that end by themselves; it may be called from any goroutine.
func NewCluster(t Target, f Fleet, nodes []string, onExit func(node string)) *Cluster {
	return &Cluster{
		target:   t,
		fleet:    f,
		names:    nodes,
		current:  nodes,
		onExit:   onExit,
		members:  map[string]*member{},
		impaired: map[Link][]Impairment{},
	}
}

// Nodes returns the names of all nodes, in order, members of the cluster or not.
func (c *Cluster) Nodes() []string { return c.names }

// Members returns the names of those nodes that are members of the cluster now, in order.
func (c *Cluster) Members() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// setMembers says who is a member from now on.
func (c *Cluster) setMembers(nodes []string) error {
	return c.changeMembers(func([]string) []string { return nodes })
}

// changeMembers says who is a member from now on, given who is.
func (c *Cluster) changeMembers(change func(now []string) []string) error {
	c.naming.Lock() // so that changes are told in their order
	defer c.naming.Unlock()
	c.mu.Lock()
	nodes := change(c.current)
	if unknown := without(nodes, c.names); len(nodes) == 0 || len(unknown) > 0 {
		c.mu.Unlock()
		return fmt.Errorf("the members are to be %v, and the nodes are %v", nodes, c.names)
	}
	c.current = slices.DeleteFunc(slices.Clone(c.names), func(n string) bool { return !slices.Contains(nodes, n) })
	current := c.current
	c.mu.Unlock()
	if c.OnMembers != nil {
		c.OnMembers(current)
	}
	return nil
}

func without(nodes, names []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(names, n) })
}

// Node returns a launched node.
func (c *Cluster) Node(name string) Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[name].node
}

// launched returns all nodes, once they are launched.
func (c *Cluster) launched() []Node {
	nodes := make([]Node, 0, len(c.names))
	for _, name := range c.names {
		nodes = append(nodes, c.Node(name))
	}
	return nodes
}

// Launch starts all nodes side by side. What they print goes to the writers that logs returns.
func (c *Cluster) Launch(ctx context.Context, seed uint64, logs func(node string) io.Writer) error {
	if err := c.fleet.Plan(ctx, c.names, c.target.Ports()); err != nil {
		return fmt.Errorf("plan the cluster: %w", err)
	}
	if err := c.moveApart(ctx); err != nil {
		return err
	}
	c.seed = seed
	var group errgroup.Group
	for _, name := range c.names {
		spec := c.target.Spec(c.placement(name))
		group.Go(func() error {
			node, err := c.fleet.Launch(ctx, spec, logs(name))
			if err != nil {
				return fmt.Errorf("launch %s: %w", name, err)
			}
			m := &member{node: node, life: &life{}}
			c.mu.Lock()
			c.members[name] = m
			c.mu.Unlock()
			c.watch(m, node.Exited())
			return nil
		})
	}
	return group.Wait()
}

// placement returns where a node is launched.
func (c *Cluster) placement(name string) Placement {
	place := c.fleet.Placement(name)
	place.Seed = c.seed
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[name]
	if m == nil {
		return place
	}
	if place.Incarnation = m.incarnation; m.version != "" {
		place.Version = m.version
		if s, ok := c.fleet.(Stocked); ok {
			place.Program = s.ProgramOf(m.version)
		}
	}
	return place
}

// watch waits for the end of a node's process and reports it if no fault asked for it.
func (c *Cluster) watch(m *member, exited <-chan struct{}) {
	c.mu.Lock()
	now := &life{}
	m.life, m.exited = now, false
	c.mu.Unlock()
	go func() {
		<-exited
		if d, ok := m.node.(Drainer); ok {
			ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
			d.Drain(ctx)
			cancel()
		}
		c.mu.Lock()
		unasked := !now.asked
		if m.life == now {
			m.exited = unasked
		}
		c.mu.Unlock()
		if unasked {
			c.onExit(m.node.Name())
		}
	}()
}

// drainTimeout bounds the waiting for what a node that ended has written.
const drainTimeout = 2 * time.Second

// Serving waits until every member is ready and, where there are leaders, all agree on one. It does not wait for nodes
// that have ended by themselves.
func (c *Cluster) Serving(ctx context.Context) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		if ended := c.exited(); len(ended) > 0 {
			return fmt.Errorf("the cluster does not serve: %s ended by itself%s",
				strings.Join(ended, ", "), c.lastWords(ended[0]))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not serve: %w (%w)", err, ctx.Err())
		case <-tick.C:
		}
	}
}

// ready says why the cluster does not serve yet.
func (c *Cluster) ready(ctx context.Context) error {
	members := c.Members()
	asking, cancel := context.WithTimeout(ctx, statusTimeout) // the statuses below have a time of their own
	defer cancel()
	var group errgroup.Group
	for _, name := range members {
		group.Go(func() error {
			if err := c.target.Ready(asking, c.Node(name)); err != nil {
				return fmt.Errorf("%s is not ready: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil || !slices.Contains(c.target.Can(), Leader) {
		return err
	}
	statuses, err := c.statuses(ctx, members)
	if err != nil {
		return err
	}
	return agree(statuses)
}

// lastWords is what a node wrote last, for an error.
func (c *Cluster) lastWords(node string) string {
	if c.LastWords != nil {
		if lines := c.LastWords(node); len(lines) > 0 {
			return fmt.Sprintf("; the last that %s wrote is\n  %s", node, strings.Join(lines, "\n  "))
		}
	}
	return fmt.Sprintf("; %s wrote nothing", node)
}

// Inspect asks the fleet whether somebody else has laid hands on the cluster.
func (c *Cluster) Inspect(ctx context.Context) error {
	i, ok := c.fleet.(Inspector)
	if !ok {
		return nil
	}
	if err := i.Inspect(ctx); err != nil {
		return fmt.Errorf("somebody else has laid hands on the cluster: %w", err)
	}
	return nil
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

// errNoStatus says that the members of a target tell nothing about themselves.
var errNoStatus = errors.New("the target's members tell nothing about themselves")

// statuses asks nodes about themselves, side by side. The error is that of any node that did
// not answer; the others' answers are returned all the same.
func (c *Cluster) statuses(ctx context.Context, names []string) (map[string]history.Status, error) {
	reporter, ok := c.target.(Reporter)
	if !ok {
		return nil, errNoStatus
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var mu sync.Mutex
	answers := make(map[string]history.Status, len(names))
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error {
			s, err := reporter.Status(ctx, c.Node(name))
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
	v := View{Nodes: c.Members(), Up: c.up(), Unplugged: c.unplugged(), OtherVersions: c.OtherVersions}
	v.Sites = c.Sites.Of(c.names)
	v.Out = without(c.names, c.settled())
	v.OfOther = without(v.Nodes, c.ofVersion(""))
	for _, n := range v.Up {
		if c.cut(Link{From: history.Clients, To: n}) || c.cut(Link{From: n, To: history.Clients}) {
			v.Stranded = append(v.Stranded, n)
		}
	}
	// Those that do not answer do not lead, as far as one can see.
	statuses, _ := c.statuses(ctx, without(v.Up, v.Stranded))
	v.Statuses = statuses
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
	for _, name := range c.current {
		if m := c.members[name]; m.standing == belongs && !m.exited && !m.held.any(func(s State) bool { return !s.Serves }) {
			up = append(up, name)
		}
	}
	return up
}

// settled returns the nodes that belong to the cluster: none is among them that is being replaced.
func (c *Cluster) settled() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return c.members[name].standing != belongs })
}

// exited returns the nodes that ended by themselves.
func (c *Cluster) exited() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return !c.members[name].exited })
}

// unplugged returns the nodes that have no network.
func (c *Cluster) unplugged() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.names), func(name string) bool {
		return !c.members[name].held.any(func(s State) bool { return s.NoNetwork })
	})
}

// Revive starts the nodes that ended by themselves, and lets those come back that were replaced and are no members
// yet.
func (c *Cluster) Revive(ctx context.Context) error {
	return c.each(c.names, func(m *member) error {
		if c.standingOf(m) != belongs {
			return c.rejoin(ctx, m)
		}
		c.mu.Lock()
		dead := m.exited && !m.held.ended()
		m.exited = false
		c.mu.Unlock()
		if !dead {
			return nil
		}
		return c.startAgain(ctx, m, func(ctx context.Context, n Node) error { return n.Start(ctx) })
	})
}

// Close ends all nodes.
func (c *Cluster) Close() error {
	c.mu.Lock()
	for _, m := range c.members {
		m.life.asked = true // from here on, an end is what we asked for
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
			defer func() {
				if p := recover(); p != nil { // of a deed; the run is ended and healed as after any error
					errs[i] = fmt.Errorf("%s: the deed crashed: %v\n%s", name, p, debug.Stack())
				}
			}()
			if err := act(m); err != nil {
				errs[i] = fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
