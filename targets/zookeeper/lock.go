package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/sunder-dev/sunder/harness"
)

// Locker implements [harness.Locking] by the recipe of ZooKeeper's documentation (Recipes and Solutions, Locks): an
// ephemeral, sequential node for each who wants the lock; the lowest has it, and each of the others watches the next
// lower one. A holder gives the lock up as soon as it is disconnected, as Curator's LeaderLatch does: from then on it
// cannot know whether its session has ended. One that is paused cannot do so, and one whose server is cut off learns of it
// when the server does.
func (t *Target) Locker(members []harness.Member, ttl time.Duration) (harness.Locker, error) {
	var servers []string
	for _, m := range members {
		servers = append(servers, m.Addr[portClient])
	}
	l := &locker{held: map[*tenure]bool{}}
	s, err := connect(servers, ttl, l.see)
	l.session = s
	return l, err
}

// locker is a session.
type locker struct {
	session *session

	mu     sync.Mutex
	up     bool
	breaks int // how often the connection was lost
	held   map[*tenure]bool
}

// see is told what happens to the session.
func (l *locker) see(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.State {
	case zk.StateHasSession:
		l.up = true
	case zk.StateDisconnected, zk.StateExpired:
		l.up = false
		l.breaks++
		for t := range l.held {
			close(t.lost)
		}
		clear(l.held)
	}
}

// calling makes a call of a locker's connection.
func calling[T any](ctx context.Context, l *locker, call func(*zk.Conn) (T, error)) (T, error) {
	return within(ctx, func() (T, error) { return call(l.session.conn) })
}

// Acquire implements [harness.Locker]. The token is the number of the transaction that created the node: what is
// created later has a higher one.
func (l *locker) Acquire(ctx context.Context, name string) (harness.Tenure, error) {
	dir := path(name)
	_, err := calling(ctx, l, func(c *zk.Conn) (string, error) { return c.Create(dir, nil, 0, everybody) })
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return nil, err
	}
	node, err := calling(ctx, l, func(c *zk.Conn) (string, error) {
		return c.CreateProtectedEphemeralSequential(dir+"/lock-", nil, everybody)
	})
	if err != nil {
		return nil, err
	}
	stat, err := calling(ctx, l, func(c *zk.Conn) (*zk.Stat, error) {
		_, stat, err := c.Get(node)
		return stat, err
	})
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w", name, err)
	}
	t := &tenure{locker: l, node: node, token: uint64(stat.Czxid), lost: make(chan struct{})}
	for {
		breaks := l.broke()
		children, err := calling(ctx, l, func(c *zk.Conn) ([]string, error) {
			names, _, err := c.Children(dir)
			return names, err
		})
		if err != nil {
			return nil, err
		}
		before, err := nextLower(children, strings.TrimPrefix(node, dir+"/"))
		if err != nil {
			return nil, err
		}
		if before == "" {
			if l.hold(t, breaks) {
				return t, nil
			}
			before = strings.TrimPrefix(node, dir+"/") // whether the node is still there is looked for again
		}
		if err := l.gone(ctx, dir+"/"+before, node); err != nil {
			return nil, err
		}
	}
}

// broke returns how often the connection was lost so far.
func (l *locker) broke() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.breaks
}

// hold notes that a tenure begins, unless the connection was lost since it had been so often.
func (l *locker) hold(t *tenure, breaks int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up || l.breaks != breaks {
		return false
	}
	l.held[t] = true
	return true
}

// gone waits until a node is gone that comes before one's own.
func (l *locker) gone(ctx context.Context, before, own string) error {
	if before == own {
		return ctx.Err()
	}
	watch, err := calling(ctx, l, func(c *zk.Conn) (<-chan zk.Event, error) {
		there, _, watch, err := c.ExistsW(before)
		if err != nil || there {
			return watch, err
		}
		return nil, nil
	})
	if err != nil || watch == nil {
		return err
	}
	select {
	case e := <-watch:
		return e.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nextLower returns the node with the next lower number than one's own; empty if there is none.
func nextLower(nodes []string, own string) (string, error) {
	if !slices.Contains(nodes, own) {
		return "", errors.New("the node is gone: the session ended while it waited")
	}
	mine, err := sequence(own)
	if err != nil {
		return "", err
	}
	next, highest := "", -1
	for _, n := range nodes {
		number, err := sequence(n)
		if err != nil {
			return "", err
		}
		if number < mine && number > highest {
			next, highest = n, number
		}
	}
	return next, nil
}

// sequenceDigits is how many digits the number has that the server appends to a node's name.
const sequenceDigits = 10

// sequence returns the number at the end of a node's name.
func sequence(node string) (int, error) {
	n, err := strconv.Atoi(node[max(0, len(node)-sequenceDigits):])
	if err != nil {
		return 0, fmt.Errorf("node %q has no number: %w", node, err)
	}
	return n, nil
}

// Close implements [harness.Locker]: the session is kept alive no more. Ending it would give away at once what was not
// released, although what its holder sent last may be under way.
func (l *locker) Close(context.Context) error {
	l.session.end(false)
	return nil
}

// tenure is a node that is the lowest.
type tenure struct {
	*locker
	node  string
	token uint64
	lost  chan struct{}
}

// Token implements [harness.Tenure].
func (t *tenure) Token() uint64 { return t.token }

// Lost implements [harness.Tenure].
func (t *tenure) Lost() <-chan struct{} { return t.lost }

// Release implements [harness.Tenure].
func (t *tenure) Release(ctx context.Context) error {
	t.mu.Lock()
	delete(t.held, t)
	t.mu.Unlock()
	_, err := calling(ctx, t.locker, func(c *zk.Conn) (struct{}, error) { return struct{}{}, c.Delete(t.node, -1) })
	return err
}
