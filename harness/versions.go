package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// RunVersion restarts nodes with another version of the server until the fault is healed, and returns once they say
// that they are of it. One node stays what it is: a cluster all of whose members are new may let no old one in again.
func (in *Injection) RunVersion(ctx context.Context, version string, nodes ...string) error {
	c := in.cluster
	teller, ok := c.target.(VersionTeller)
	if !ok {
		return fmt.Errorf("the target's members do not say of which version they are: %w", ErrUnsupported)
	}
	if err := in.holdVersion(ctx, version, nodes); err != nil {
		return err
	}
	said := make(map[string]string)
	err := in.watch(ctx, func() (done bool, err error) {
		done = true
		for _, n := range nodes {
			if c.heldDown(n) { // by another fault, and it is asked by nobody
				continue
			}
			if slices.Contains(c.exited(), n) {
				return false, fmt.Errorf("%s ended as %s", n, version)
			}
			asking, cancel := context.WithTimeout(ctx, statusTimeout)
			v, err := teller.VersionOf(asking, in.Node(n))
			cancel()
			switch {
			case err != nil && c.runs(n): // without a quorum a server may not answer
				said[n] = "runs " + c.placement(n).Program
			case err != nil:
				done = false
			case strings.TrimPrefix(v, "v") != strings.TrimPrefix(version, "v"):
				return false, fmt.Errorf("%s is to be %s, and says that it is %s", n, version, v)
			default:
				said[n] = v
			}
		}
		in.Saw("says", said)
		return done, nil
	})
	switch {
	case errors.Is(err, errNotSeen):
		return fmt.Errorf("not all of %v were seen to be %s: %w", nodes, version, err)
	case err == nil && len(said) == 0:
		return fmt.Errorf("not confirmed, since other faults keep %v down", nodes)
	}
	return err
}

// holdVersion restarts nodes with another version, if that leaves one that is what it was.
func (in *Injection) holdVersion(ctx context.Context, version string, nodes []string) error {
	c := in.cluster
	c.removing.Lock()
	defer c.removing.Unlock()
	if left := without(c.ofVersion(""), nodes); len(left) == 0 {
		in.DidNot("refused", "no node of the version that was launched would be left")
		return fmt.Errorf("%v are all that are of the version that was launched", nodes)
	}
	return in.Hold(ctx, State{
		Name: versionState + version, Serves: true,
		Enter: func(ctx context.Context, n Node) error { return c.restartAs(ctx, n.Name(), version) },
		Leave: func(ctx context.Context, n Node) error { return c.restartAs(ctx, n.Name(), c.heldVersion(n.Name())) },
	}, nodes...)
}

// versionState begins the names of states in which nodes are of another version.
const versionState = "version "

// heldVersion returns the version that some fault holds a node in; empty if none does.
func (c *Cluster) heldVersion(name string) (version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for state, n := range c.members[name].held.count {
		if v, ok := strings.CutPrefix(state, versionState); ok && n > 0 {
			version = max(version, v)
		}
	}
	return version
}

// heldDown reports whether a fault keeps a node from answering.
func (c *Cluster) heldDown(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[name]
	return m.standing != belongs || m.held.any(func(s State) bool { return !s.Serves })
}

// runs reports whether the process of a node is seen to be of the program that it is to run.
func (c *Cluster) runs(name string) bool {
	p, ok := c.Node(name).(Process)
	if !ok || p.Pid() == 0 {
		return false
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Pid()))
	return err == nil && program == c.placement(name).Program
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
	down := m.held.ended() || m.exited || m.standing != belongs
	m.life.asked = m.life.asked || !down
	replaced := m.standing != belongs // what it is started as is decided when it joins
	c.mu.Unlock()
	if replaced {
		return nil
	}
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
	return c.startAgain(ctx, m, starts)
}
