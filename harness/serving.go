package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness/history"
)

// Serving waits until every member is ready and, where there are leaders, all agree on one. It does not wait for nodes
// that have ended by themselves.
func (c *Cluster) Serving(ctx context.Context) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var why error // the last reason that is not that there was no time to find one
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		if why == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			why = err
		}
		if ended := c.exited(); len(ended) > 0 {
			return fmt.Errorf("the cluster does not serve: %s ended by itself%s",
				strings.Join(ended, ", "), c.lastWords(ended[0]))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not serve: %w (%w)", why, ctx.Err())
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
			if a, ok := c.target.(Announcer); ok && a.Announces() && !c.hasAnnounced(name) {
				return fmt.Errorf("%s is not ready: it has not logged that it serves", name)
			}
			if err := c.target.Ready(asking, c.Node(name)); err != nil {
				return fmt.Errorf("%s is not ready: %w", name, err)
			}
			return nil
		})
	}
	for _, b := range c.Companions {
		group.Go(func() error {
			if err := b.Ready(asking, c.Node(b.Name)); err != nil {
				return fmt.Errorf("%s is not ready: %w", b.Name, err)
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

// heed passes a node's output on to w, and notes when the node says that it serves.
func (c *Cluster) heed(name string, w io.Writer) io.Writer {
	a, ok := c.target.(Announcer)
	if !ok || !a.Announces() {
		return w
	}
	return &tap{Writer: w, see: func(line []byte) {
		if a.Serves(line) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.announced[name] = true
		}
	}}
}

func (c *Cluster) hasAnnounced(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.announced[name]
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

// lastWords is what a node wrote last, for an error.
func (c *Cluster) lastWords(node string) string {
	if c.LastWords != nil {
		if lines := c.LastWords(node); len(lines) > 0 {
			return fmt.Sprintf("; the last that %s wrote is\n  %s", node, strings.Join(lines, "\n  "))
		}
	}
	return fmt.Sprintf("; %s wrote nothing", node)
}
