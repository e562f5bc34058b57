package harnesstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// node is one node of a fake cluster.
type node struct {
	fake           *Fake
	name           string
	log            io.Writer
	killed, paused bool
	broken         bool
	unplugged      bool
	wiped          bool // since it was killed
	exited         chan struct{}
	next, version  []string // what tells the version: of the next start, and now
}

// Name implements [harness.Node].
func (n *node) Name() string { return n.name }

// Addr implements [harness.Node].
func (n *node) Addr(port string) string { return n.name + ":" + port }

// Exited implements [harness.Node].
func (n *node) Exited() <-chan struct{} {
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	return n.exited
}

// Kill implements [harness.Node].
func (n *node) Kill(context.Context) error {
	if n.fake.Mistakes.Inert {
		return errInert
	}
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	if !n.killed {
		n.killed, n.paused = true, false
		n.broken = n.fake.Mistakes.NoRecovery
		close(n.exited)
	}
	return nil
}

// Start implements [harness.Node].
func (n *node) Start(context.Context) error {
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	if n.killed {
		n.killed, n.wiped, n.version = false, false, n.next
		n.exited = make(chan struct{})
		if !n.fake.Mistakes.SilentAgain {
			n.announce()
		}
	}
	if n.fake.outside[n.name] == learner && n.fake.Mistakes.TurnedAway > 0 {
		n.fake.Mistakes.TurnedAway--
		n.killed = true
		close(n.exited)
	}
	return nil
}

// announce says in a second that the node serves, if it is one that does.
func (n *node) announce() {
	if n.fake.Announcing {
		time.AfterFunc(time.Second, func() {
			n.fake.mu.Lock() // as with all that it logs
			defer n.fake.mu.Unlock()
			_, _ = io.WriteString(n.log, "serving\nand then") // a line that the node does not end
		})
	}
}

// LaunchAs implements [harness.Relauncher].
func (n *node) LaunchAs(s harness.NodeSpec) {
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	n.fake.launched = append(n.fake.launched, s)
	n.next = s.Env
}

// Pause implements [harness.Node].
func (n *node) Pause(context.Context) error {
	if n.fake.Mistakes.NeverPauses {
		return fmt.Errorf("unable to freeze: %w", harness.ErrDidNothing)
	}
	return n.set(true)
}

var errInert = fmt.Errorf("the node does not care: %w", harness.ErrDidNothing)

// Resume implements [harness.Node].
func (n *node) Resume(context.Context) error { return n.set(false) }

// Unplug implements [harness.Unplugger].
func (n *node) Unplug(context.Context) error { return n.plug(false) }

// Wipe implements [harness.Wiper].
func (n *node) Wipe(context.Context) (bytes int64, err error) {
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	if !n.killed {
		return 0, errors.New("it runs")
	}
	if n.wiped {
		return 0, nil
	}
	n.wiped = true
	return 1, nil
}

// Plug implements [harness.Unplugger].
func (n *node) Plug(context.Context) error { return n.plug(true) }

func (n *node) plug(in bool) error {
	if n.fake.Mistakes.Inert {
		return errInert
	}
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	if n.unplugged != in {
		return errors.New("it is so already")
	}
	n.unplugged = !in
	return nil
}

func (n *node) set(paused bool) error {
	if n.fake.Mistakes.Inert {
		return errInert
	}
	n.fake.mu.Lock()
	defer n.fake.mu.Unlock()
	if n.killed && paused {
		return errors.New("the dead cannot be paused")
	}
	n.paused = paused
	return nil
}

// stranded reports whether clients are cut off from the node; the caller holds the fake's mu.
func (n *node) stranded() bool {
	return n.fake.state[harness.Link{From: history.Clients, To: n.name}].Drop ||
		n.fake.state[harness.Link{From: n.name, To: history.Clients}].Drop
}

// wait lets an answer take its time: a killed node refuses, a paused one is silent.
func (n *node) wait(ctx context.Context) error {
	n.fake.mu.Lock()
	killed, silent := n.killed, n.paused || n.broken || n.unplugged || n.stranded()
	n.fake.mu.Unlock()
	switch {
	case killed:
		return fmt.Errorf("%s refuses: %w", n.name, harness.ErrNotApplied) // it is not there
	case silent:
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(time.Millisecond)
	return nil
}
