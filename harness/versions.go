package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// VersionTeller is a target whose members may be of several versions at a time, and say of which they are.
type VersionTeller interface {
	// VersionOf asks a member, which answers as versions are named on the command line: "v3.6.16".
	VersionOf(ctx context.Context, n Node) (string, error)
}

// Stocked is a fleet that has the target's program in several versions.
type Stocked interface {
	// ProgramOf returns that of a version.
	ProgramOf(version string) string
}

// RunVersion restarts nodes with another version of the server until the fault is healed, and returns once they say that
// they are of it. One node stays what it is: a cluster all of whose members are new may let no old one in again.
func (in *Injection) RunVersion(ctx context.Context, version string, nodes ...string) error {
	c := in.cluster
	teller, ok := c.target.(VersionTeller)
	if !ok {
		return fmt.Errorf("the target's members do not say of which version they are: %w", ErrUnsupported)
	}
	if left := without(c.ofVersion(""), nodes); len(left) == 0 {
		in.DidNot("refused", "no node of the version that was launched would be left")
		return fmt.Errorf("%v are all that are of the version that was launched", nodes)
	}
	other := State{
		Name: "version " + version, Serves: true,
		Enter: func(ctx context.Context, n Node) error { return c.restartAs(ctx, n.Name(), version) },
		Leave: func(ctx context.Context, n Node) error { return c.restartAs(ctx, n.Name(), "") },
	}
	if err := in.Hold(ctx, other, nodes...); err != nil {
		return err
	}
	said := make(map[string]string)
	err := in.watch(ctx, func() (done bool, err error) {
		running := c.up()
		done = true
		for _, n := range nodes {
			if !slices.Contains(running, n) { // another fault holds it down, and it is asked by nobody
				continue
			}
			asking, cancel := context.WithTimeout(ctx, statusTimeout)
			v, err := teller.VersionOf(asking, in.Node(n))
			cancel()
			switch {
			case err != nil:
				done, said[n] = false, "nothing yet"
			case strings.TrimPrefix(v, "v") != strings.TrimPrefix(version, "v"):
				return false, fmt.Errorf("%s is to be %s, and says that it is %s", n, version, v)
			default:
				said[n] = v
			}
		}
		in.Saw("says", said)
		return done, nil
	})
	if errors.Is(err, errNotSeen) { // without a quorum a server may not answer; but it was ended, and started as the other
		return nil
	}
	return err
}

// ofVersion returns the members of a version; "" is the one that was launched.
func (c *Cluster) ofVersion(version string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.current {
		if c.members[n].version == version {
			names = append(names, n)
		}
	}
	return names
}

// restartAs lets a node be of another version, from its next start on if it is down, and otherwise at once. The caller
// holds its act.
func (c *Cluster) restartAs(ctx context.Context, name, version string) error {
	c.mu.Lock()
	m := c.members[name]
	m.version = version
	down := m.held.ended() || m.exited || m.standing == removed
	m.life.asked = m.life.asked || !down
	c.mu.Unlock()
	l, ok := m.node.(Relauncher)
	if !ok {
		return fmt.Errorf("%s cannot be started as another version: %w", name, ErrUnsupported)
	}
	l.LaunchAs(c.target.Spec(c.placement(name)))
	if down {
		return nil
	}
	if err := m.node.Kill(ctx); err != nil {
		return err
	}
	return c.startAgain(ctx, m, func(ctx context.Context, n Node) error { return n.Start(ctx) })
}
