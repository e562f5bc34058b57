package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// State is a state that faults hold nodes in: a node enters it with the first fault that holds it there, and leaves
// it with the last.
type State struct {
	// Name is what evidence calls it: "killed".
	Name string
	// Enter returns once the node is seen to be in the state, and Leave once it is seen to be out of it.
	Enter, Leave func(ctx context.Context, n Node) error
	// Ends says that the node's process is gone in this state: Enter ends it, and Leave starts it again.
	Ends bool
	// OfProcess says that the state is one of the process: a node without one is not in it, and one that is started
	// again enters it again.
	OfProcess bool
	// NoNetwork says that nothing reaches a node in this state, or leaves it.
	NoNetwork bool
	// Serves says that a node in this state serves all the same.
	Serves bool
}

// holds are the states that faults hold a member in, and by how many.
type holds struct {
	states map[string]State
	count  map[string]int
}

func (h *holds) any(is func(State) bool) bool {
	for name, n := range h.count {
		if n > 0 && is(h.states[name]) {
			return true
		}
	}
	return false
}

func (h *holds) ended() bool { return h.any(func(s State) bool { return s.Ends }) }

// add changes how many faults hold a member in a state, and returns the number.
func (c *Cluster) add(m *member, s State, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.held.states == nil {
		m.held = holds{map[string]State{}, map[string]int{}}
	}
	m.held.states[s.Name] = s
	m.held.count[s.Name] += n
	m.life.asked = m.life.asked || s.Ends && n > 0
	return m.held.count[s.Name]
}

// is reports whether any fault holds a member in such a state.
func (c *Cluster) is(m *member, in func(State) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.held.any(in)
}

// hits are the nodes on which something was done, and whether it is known that nothing was done to the others.
type hits struct {
	nodes []string
	sure  bool
}

// enter brings nodes to a state, side by side, and returns those that were not in it already.
func (c *Cluster) enter(ctx context.Context, s State, names []string) (hits, error) {
	var mu sync.Mutex
	h := hits{sure: true}
	err := c.each(names, func(m *member) error {
		// One that has no process has none to lose, whichever fault took it.
		gone := (s.OfProcess || s.Ends) && c.is(m, func(other State) bool { return other.Ends && other.Name != s.Name })
		if c.add(m, s, +1) > 1 || gone {
			return nil
		}
		err := s.Enter(ctx, m.node)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			h.nodes = append(h.nodes, m.node.Name())
		case !errors.Is(err, ErrDidNothing):
			h.sure = false
		}
		return err
	})
	slices.Sort(h.nodes)
	return h, err
}

// leave takes one fault off the nodes' state, and brings those out of it that no other holds there.
func (c *Cluster) leave(ctx context.Context, s State, names []string) error {
	return c.each(names, func(m *member) error {
		if c.add(m, s, -1) > 0 {
			return nil
		}
		gone := c.is(m, func(s State) bool { return s.Ends })
		switch {
		case s.Ends && !gone && c.standingOf(m) != belongs:
			rejoining, cancel := context.WithTimeout(ctx, rejoinTimeout)
			defer cancel()
			_ = c.rejoin(rejoining, m) // what is not possible while others are down is done after the last heal
			return nil
		case s.Ends && !gone:
			return c.startAgain(ctx, m, s.Leave)
		case s.Ends || s.OfProcess && gone:
			return nil
		}
		return s.Leave(ctx, m.node)
	})
}

// startAgain starts the process of a node, and brings it to the states that faults hold it in.
func (c *Cluster) startAgain(ctx context.Context, m *member, start func(context.Context, Node) error) error {
	if err := c.begin(ctx, m, start); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	return c.reenter(ctx, m)
}

// reenter brings a process that was started to the states that faults hold its node in.
func (c *Cluster) reenter(ctx context.Context, m *member) error {
	c.mu.Lock()
	var again []State
	for name, n := range m.held.count {
		if s := m.held.states[name]; n > 0 && s.OfProcess {
			again = append(again, s)
		}
	}
	c.mu.Unlock()
	slices.SortFunc(again, func(a, b State) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range again {
		if err := s.Enter(ctx, m.node); err != nil {
			return err
		}
	}
	return nil
}
