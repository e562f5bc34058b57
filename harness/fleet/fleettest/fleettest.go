// Package fleettest proves fleets, in the manner of testing/fstest: what a fleet says that it can, it does, what it
// cannot it refuses, and it leaves nothing behind. A new fleet proves itself with one call of [Test].
package fleettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// Config is what is proved.
type Config struct {
	// New returns a fleet on which nothing is planned yet, and a target to launch on it: one that can run there, and whose
	// members talk to each other all the time. The suite closes the fleet.
	New func() (harness.Fleet, harness.Target, error)
}

// patience is how long anything may take that is waited for.
const patience = 30 * time.Second

// Test runs all checks, each on a fleet of its own, and fails t for what they find.
func Test(t *testing.T, c Config) {
	for _, check := range checks {
		t.Run(check.name, func(t *testing.T) { require.NoError(t, c.check(t.Context(), check)) })
	}
}

// Check runs all checks and returns what the first of them finds.
func Check(ctx context.Context, c Config) error {
	for _, one := range checks {
		if err := c.check(ctx, one); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

// check is one of the suite.
type check struct {
	name string
	run  func(ctx context.Context, u *underTest) error
}

var checks = []check{
	{"places", places},
	{"kill", kill},
	{"pause", pause},
	{"wipe", wipe},
	{"unplug", unplug},
	{"cut", cut},
	{"clients", clients},
	{"loss", loss},
	{"delay", delay},
	{"packets", packets},
	{"refusals", refusals},
	{"close", closing},
}

// underTest is a fleet with a cluster of three nodes on it, which serves.
type underTest struct {
	fleet   harness.Fleet
	target  harness.Target
	cluster *harness.Cluster
}

func (u *underTest) can(c harness.Capability) bool { return slices.Contains(u.fleet.Can(), c) }

func (c Config) check(ctx context.Context, one check) (err error) {
	f, target, err := c.New()
	if err != nil {
		return err
	}
	u := &underTest{fleet: f, target: target}
	u.cluster = harness.NewCluster(target, f, harness.NodeNames(3), func(string) {})
	defer func() { err = errors.Join(err, u.cluster.Close()) }()
	if err := u.cluster.Launch(ctx, 1, func(string) io.Writer { return io.Discard }); err != nil {
		return err
	}
	if err := u.serves(ctx); err != nil {
		return err
	}
	return one.run(ctx, u)
}

// serves waits until all members serve.
func (u *underTest) serves(ctx context.Context) error {
	return harnesstest.Eventually(ctx, patience, "all members serve", func() bool {
		return !slices.ContainsFunc(
			u.cluster.Nodes(),
			func(name string) bool { return !u.answers(ctx, u.cluster.Node(name)) },
		)
	})
}

// answers says whether a node answers within a moment.
func (u *underTest) answers(ctx context.Context, n harness.Node) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	return u.target.Ready(ctx, n) == nil
}

// places looks at the plan: every node knows all members, and where it listens itself; with [harness.NodeAddress], all
// see a node at the same address.
func places(_ context.Context, u *underTest) error {
	first := u.fleet.Placement("n1")
	for _, name := range u.cluster.Nodes() {
		p := u.fleet.Placement(name)
		if p.Node != name || p.DataDir == "" || len(p.Members) != 3 {
			return fmt.Errorf("the placement of %s is %+v", name, p)
		}
		for i, m := range p.Members {
			if m.Name != u.cluster.Nodes()[i] {
				return fmt.Errorf("%s sees the members in another order: %+v", name, p.Members)
			}
			peer := u.target.Ports()[0]
			if m.Addr[peer] == "" {
				return fmt.Errorf("%s does not know where %s is", name, m.Name)
			}
			if u.can(harness.NodeAddress) && m.Addr[peer] != first.Members[i].Addr[peer] {
				return fmt.Errorf("%s sees %s at %s, and n1 at %s", name, m.Name, m.Addr[peer], first.Members[i].Addr[peer])
			}
			for _, port := range u.target.Ports() {
				if m.Name == name && m.Addr[port] == "" {
					return fmt.Errorf("%s does not know its own port %q", name, port)
				}
			}
		}
	}
	return nil
}

// kill ends a node and starts it again, where it was, with what it had.
func kill(ctx context.Context, u *underTest) error {
	if !u.can(harness.NodeKill) {
		return nil
	}
	n := u.cluster.Node("n2")
	var before []string
	for _, port := range u.target.Ports() {
		before = append(before, n.Addr(port))
	}
	exited := n.Exited()
	if err := n.Kill(ctx); err != nil {
		return err
	}
	select {
	case <-exited:
	default:
		return errors.New("the node is said to be killed, and has not exited")
	}
	if u.answers(ctx, n) {
		return errors.New("a killed node answers")
	}
	if err := n.Kill(ctx); err != nil {
		return fmt.Errorf("killing what is dead: %w", err)
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	for i, port := range u.target.Ports() {
		if n.Addr(port) != before[i] {
			return fmt.Errorf("port %q was at %s, and is at %s after a restart", port, before[i], n.Addr(port))
		}
	}
	select {
	case <-n.Exited():
		return errors.New("a node that was started again has exited")
	default:
	}
	return u.serves(ctx)
}

// pause stops a node, which then says nothing, and lets it go on.
func pause(ctx context.Context, u *underTest) error {
	if !u.can(harness.NodePause) {
		return nil
	}
	n := u.cluster.Node("n2")
	if err := n.Pause(ctx); err != nil {
		return err
	}
	if u.answers(ctx, n) {
		return errors.New("a paused node answers")
	}
	if err := n.Resume(ctx); err != nil {
		return err
	}
	if err := u.serves(ctx); err != nil {
		return err
	}
	// A paused node can be killed, and comes back as one that is not paused.
	if err := errors.Join(n.Pause(ctx), n.Kill(ctx), n.Start(ctx)); err != nil {
		return err
	}
	return u.serves(ctx)
}

// wipe takes a dead node's disk from it: it comes back as one that knows nothing, and only if it was dead.
func wipe(ctx context.Context, u *underTest) error {
	if !u.can(harness.NodeWipe) {
		return nil
	}
	n := u.cluster.Node("n2")
	w, ok := n.(harness.Wiper)
	if !ok {
		return errors.New("the fleet says so, and the disks of its nodes cannot be wiped")
	}
	if _, err := w.Wipe(ctx); err == nil {
		return errors.New("the disk of a node that runs was wiped")
	}
	if err := n.Kill(ctx); err != nil {
		return err
	}
	first, err := w.Wipe(ctx)
	if err != nil || first == 0 {
		return fmt.Errorf("%d bytes were wiped: %w", first, err)
	}
	if again, err := w.Wipe(ctx); err != nil || again != 0 {
		return fmt.Errorf("%d bytes were left: %w", again, err)
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	return u.serves(ctx)
}

// unplug pulls out a node's network, or is refused.
func unplug(ctx context.Context, u *underTest) error {
	n := u.cluster.Node("n2")
	p, ok := n.(harness.Unplugger)
	if !u.can(harness.NodeUnplug) {
		if ok {
			return errors.New("the fleet does not say so, and its nodes can be unplugged")
		}
		return nil
	}
	if !ok {
		return errors.New("the fleet says so, and its nodes cannot be unplugged")
	}
	if err := p.Unplug(ctx); err != nil {
		return err
	}
	if u.answers(ctx, n) {
		return errors.New("an unplugged node answers")
	}
	if err := p.Plug(ctx); err != nil {
		return err
	}
	return u.serves(ctx)
}

// refusals asks for what the fleet does not say that it can: it must refuse, and do nothing of it.
func refusals(ctx context.Context, u *underTest) error {
	s, ok := u.fleet.(harness.Shaper)
	if !ok {
		return nil
	}
	for _, i := range []harness.Impairment{
		{Drop: true}, {Loss: 0.5}, {Delay: time.Second}, {Jitter: time.Second}, {Rate: 1000}, {Reorder: 0.5}, {Duplicate: 0.5},
		{Corrupt: 0.5},
	} {
		if len(harness.Missing(i.Needs(), u.fleet.Can())) == 0 {
			continue
		}
		if err := shape(ctx, s, i, around()); !errors.Is(err, harness.ErrUnsupported) {
			return fmt.Errorf("the fleet does not have %v, and when asked for it says %w", i.Needs(), err)
		}
	}
	return u.grows(ctx, s, "something passes all links after what was refused", around(), passed)
}

// closing ends all nodes, and nothing can be launched any more.
func closing(ctx context.Context, u *underTest) error {
	var exits []<-chan struct{}
	for _, name := range u.cluster.Nodes() {
		exits = append(exits, u.cluster.Node(name).Exited())
	}
	if err := u.cluster.Close(); err != nil {
		return err
	}
	for i, exited := range exits {
		select {
		case <-exited:
		default:
			return fmt.Errorf("%s runs after the fleet was closed", u.cluster.Nodes()[i])
		}
	}
	if _, err := u.fleet.Launch(ctx, u.target.Spec(u.fleet.Placement("n1")), io.Discard); err == nil {
		return errors.New("a node was launched after the fleet was closed")
	}
	return u.cluster.Close()
}
