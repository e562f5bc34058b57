package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
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
	// Companions are the nodes beside the cluster.
	Companions []Companion

	naming   sync.Mutex // held while it is decided who is a member, and told
	removing sync.Mutex // held while it is decided who is removed, or becomes another version
	shaping  sync.Mutex // held while links are decided upon and brought to their state
	timing   sync.Mutex // held while links become slower, and while that is measured, or mended
	mu       sync.Mutex // guards impaired, current, announced, outputs, and members' fields
	members  map[string]*member
	current  []string // those that are members of the cluster now
	seed     uint64
	impaired map[Link][]Impairment // by each fault that a link suffers from
	// announced are the nodes that have said since their last start that they serve; see [Announcer].
	announced map[string]bool
	outputs   map[string]io.Writer // of nodes
	holders   map[int]string       // by worker: the companion that holds something
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
		target:    t,
		fleet:     f,
		names:     nodes,
		current:   nodes,
		onExit:    onExit,
		members:   map[string]*member{},
		impaired:  map[Link][]Impairment{},
		announced: map[string]bool{},
		outputs:   map[string]io.Writer{},
		holders:   map[int]string{},
	}
}

// Nodes returns the names of all nodes, in order, members of the cluster or not, but for companions.
func (c *Cluster) Nodes() []string { return c.names }

// all returns the names of all nodes and all companions.
func (c *Cluster) all() []string { return slices.Concat(c.names, companionNames(c.Companions)) }

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

// launched returns all nodes and companions, once they are launched.
func (c *Cluster) launched() []Node {
	nodes := make([]Node, 0, len(c.all()))
	for _, name := range c.all() {
		nodes = append(nodes, c.Node(name))
	}
	return nodes
}

// Launch starts all nodes side by side. What they print goes to the writers that logs returns.
func (c *Cluster) Launch(ctx context.Context, seed uint64, logs func(node string) io.Writer) error {
	if b, ok := c.fleet.(Beside); ok {
		b.PlanBeside(companionNames(c.Companions))
	}
	if err := c.fleet.Plan(ctx, c.all(), c.target.Ports()); err != nil {
		return fmt.Errorf("plan the cluster: %w", err)
	}
	if err := c.moveApart(ctx); err != nil {
		return err
	}
	c.seed = seed
	var group errgroup.Group
	for _, name := range c.all() {
		spec := c.specOf(name)
		group.Go(func() error {
			output := c.heed(name, logs(name))
			c.mu.Lock()
			c.outputs[name] = output
			c.mu.Unlock()
			node, err := c.fleet.Launch(ctx, spec, output)
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

// specOf says how a node or a companion is launched.
func (c *Cluster) specOf(name string) NodeSpec {
	for _, b := range c.Companions {
		if b.Name == name {
			return b.Spec(c.placement(name))
		}
	}
	return c.target.Spec(c.placement(name))
}

// placement returns where a node is launched.
func (c *Cluster) placement(name string) Placement {
	place := c.fleet.Placement(name)
	place.Seed = c.seed
	c.mu.Lock()
	defer c.mu.Unlock()
	everybody := place.Members
	place.Members = nil
	for _, m := range everybody {
		if slices.Contains(c.names, m.Name) {
			place.Members = append(place.Members, m)
		} else {
			place.Companions = append(place.Companions, m)
		}
	}
	for i := range place.Members {
		if m := c.members[place.Members[i].Name]; m != nil {
			place.Members[i].Incarnation = m.incarnation
		}
	}
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

// begin starts a node that ended. What its last process said does not count for the new one.
func (c *Cluster) begin(ctx context.Context, m *member, start func(context.Context, Node) error) error {
	select {
	case <-m.node.Exited():
		c.mu.Lock()
		delete(c.announced, m.node.Name())
		output, tapped := c.outputs[m.node.Name()].(*tap)
		c.mu.Unlock()
		if tapped {
			output.breakOff()
		}
	default: // it runs, and will not say it again
	}
	if err := start(ctx, m.node); err != nil {
		return err
	}
	c.watch(m, m.node.Exited())
	return nil
}

// starts is how most nodes begin.
func starts(ctx context.Context, n Node) error { return n.Start(ctx) }

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
	v.Companions, v.Holders = c.clients(), c.holding()
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
		if m := c.members[name]; m.standing == belongs && c.ableToServe(m) {
			up = append(up, name)
		}
	}
	return up
}

// ableToServe reports whether a node runs, and is in no state in which it does not serve; the caller holds mu.
func (c *Cluster) ableToServe(m *member) bool {
	return !m.exited && !m.held.any(func(s State) bool { return !s.Serves })
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
	return slices.DeleteFunc(c.all(), func(name string) bool { return !c.members[name].exited })
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
	return c.each(c.all(), func(m *member) error {
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
		return c.startAgain(ctx, m, starts)
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
