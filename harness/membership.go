package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Membered is a target whose members can be removed, and new ones added, while the others serve. Each call asks one
// member, may be repeated, and returns nil if the cluster has agreed to it, now or before.
type Membered interface {
	// RemoveMember lets the cluster go on without a member.
	RemoveMember(ctx context.Context, asked Node, m Member) error
	// AddMember tells the cluster of a member that is about to start and knows nothing yet.
	AddMember(ctx context.Context, asked Node, m Member) error
	// PromoteMember lets a member that was added count like the others, and fails as long as it does not.
	PromoteMember(ctx context.Context, asked Node, m Member) error
}

// Relauncher is a node that can be started with another program or other arguments than those that it was launched
// with.
type Relauncher interface {
	// LaunchAs says what the node is from its next start on.
	LaunchAs(s NodeSpec)
}

// standing is how a node stands to the cluster that is being replaced.
type standing int

const (
	belongs  standing = iota
	leaving           // the others may or may not have removed it
	removed           // it has no process, and what it stored is worthless
	entering          // it was added and started, and does not count yet
)

// askTimeout bounds the asking of one member, and rejoinTimeout what the heal of a fault waits for a member to be let
// in again: others may be down, so that nothing can be agreed upon. What is left then is done after the last heal.
const (
	askTimeout    = 2 * time.Second
	removeTimeout = 5 * time.Second
	rejoinTimeout = 12 * time.Second
)

// Replace kills a node and removes it from the cluster, as operators do with a machine that died. When the fault is
// healed, the node comes back with an empty disk as a new member. One is replaced at a time, fewer are never left than
// a majority of all nodes, and one of them is of the version that was launched.
func (in *Injection) Replace(ctx context.Context, name string) error {
	c := in.cluster
	target, ok := c.target.(Membered)
	if !ok {
		return fmt.Errorf("the target's members cannot be replaced: %w", ErrUnsupported)
	}
	if err := in.takeOut(ctx, name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	err := c.askOthers(ctx, name, func(ctx context.Context, n Node) error {
		return target.RemoveMember(ctx, n, c.memberOf(name))
	})
	if err != nil {
		in.Saw("removal", "in doubt: "+err.Error())
		return nil // it is killed, and whether it is removed shows when it is to come back
	}
	in.Saw("removal", "agreed to")
	return c.out(name)
}

// takeOut kills a node that is to be removed, if it may be.
func (in *Injection) takeOut(ctx context.Context, name string) error {
	c := in.cluster
	c.removing.Lock()
	defer c.removing.Unlock()
	others := without(c.Members(), []string{name})
	refuse := func(format string, args ...any) error {
		in.DidNot("refused", fmt.Sprintf("%s is to be removed from %v, of %v", name, c.Members(), c.names))
		return fmt.Errorf(format, args...)
	}
	switch out := without(c.names, c.settled()); {
	case len(out) > 0 && !slices.Contains(out, name):
		return refuse("%v is being replaced, and one node is at a time", out)
	case len(others) < len(c.names)/2+1:
		return refuse(
			"without %s there would be %d members, which is no majority of %d nodes",
			name,
			len(others),
			len(c.names),
		)
	case len(without(c.ofVersion(""), []string{name})) == 0:
		return refuse("without %s no member would be of the version that was launched", name)
	}
	gone := State{
		Name: "replaced", Ends: true,
		Enter: func(ctx context.Context, n Node) error { return n.Kill(ctx) },
		Leave: starts, // if it still belongs to the cluster
	}
	if err := in.Hold(ctx, gone, name); err != nil {
		return err // such as that it is being replaced
	}
	c.setStanding(name, leaving) // from here on it may be removed
	return nil
}

// memberOf returns a node as others reach it.
func (c *Cluster) memberOf(name string) Member {
	for _, m := range c.placement(name).Members {
		if m.Name == name {
			return m
		}
	}
	return Member{Name: name}
}

func (c *Cluster) setStanding(name string, s standing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members[name].standing = s
}

func (c *Cluster) standingOf(m *member) standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.standing
}

// out notes that a node is a member no more.
func (c *Cluster) out(name string) error {
	c.mu.Lock()
	c.members[name].standing = removed
	c.members[name].incarnation++ // whoever comes in its place is another one
	c.mu.Unlock()
	return c.changeMembers(func(now []string) []string { return without(now, []string{name}) })
}

// askOthers asks the other members, one after the other, until one says yes or ctx ends.
func (c *Cluster) askOthers(ctx context.Context, name string, ask func(context.Context, Node) error) (err error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		for _, other := range without(c.up(), []string{name}) {
			asking, cancel := context.WithTimeout(ctx, askTimeout)
			err = ask(asking, c.Node(other))
			cancel()
			if err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}

// rejoin lets a node that was replaced come back, as far as that is possible by now. The caller holds its act.
func (c *Cluster) rejoin(ctx context.Context, m *member) error {
	name := m.node.Name()
	target, self := c.target.(Membered), c.memberOf(name)
	if c.standingOf(m) == leaving {
		err := c.askOthers(ctx, name, func(ctx context.Context, n Node) error { return target.RemoveMember(ctx, n, self) })
		if err != nil {
			return fmt.Errorf("%s cannot be removed: %w", name, err)
		}
		if err := c.out(name); err != nil {
			return err
		}
		self = c.memberOf(name)
	}
	if c.standingOf(m) == removed {
		if err := c.startNew(ctx, m, target, self); err != nil {
			return err
		}
	}
	err := c.askOthers(ctx, name, func(ctx context.Context, n Node) error {
		if err := c.insist(ctx, m); err != nil {
			return err
		}
		err := target.PromoteMember(ctx, n, self)
		if err != nil && target.PromoteMember(ctx, m.node, self) == nil { // it may lead by now, and then only it can say so
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s was added, and does not count yet: %w", name, err)
	}
	c.mu.Lock()
	m.standing, m.life.asked = belongs, false // from here on it may not end
	c.mu.Unlock()
	if err := c.changeMembers(func(now []string) []string { return append(slices.Clone(now), name) }); err != nil {
		return err
	}
	return c.reenter(ctx, m)
}

// startNew adds a removed node to the cluster and starts it with an empty disk.
func (c *Cluster) startNew(ctx context.Context, m *member, target Membered, self Member) error {
	w, ok := m.node.(Wiper)
	if !ok {
		return fmt.Errorf("the disk of %s cannot be wiped: %w", self.Name, ErrUnsupported)
	}
	if err := m.node.Kill(ctx); err != nil { // if it runs
		return err
	}
	if _, err := w.Wipe(ctx); err != nil {
		return err
	}
	err := c.askOthers(ctx, self.Name, func(ctx context.Context, n Node) error { return target.AddMember(ctx, n, self) })
	if err != nil {
		return fmt.Errorf("%s cannot be added: %w", self.Name, err)
	}
	c.setStanding(self.Name, entering)
	return c.insist(ctx, m)
}

// insist starts a node that is to join if it does not run: a member that has not heard of it yet may have turned it
// away, upon which servers end.
func (c *Cluster) insist(ctx context.Context, m *member) error {
	select {
	case <-m.node.Exited():
	default:
		return nil
	}
	l, ok := m.node.(Relauncher)
	if !ok {
		return fmt.Errorf("%s cannot be started as one that joins: %w", m.node.Name(), ErrUnsupported)
	}
	place := c.placement(m.node.Name())
	place.Joins = true
	place.Members = slices.DeleteFunc(slices.Clone(place.Members), func(other Member) bool {
		return other.Name != place.Node && !slices.Contains(c.Members(), other.Name)
	})
	l.LaunchAs(c.target.Spec(place))
	if err := c.begin(ctx, m, starts); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m.life.asked = true
	return nil
}
