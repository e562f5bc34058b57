package holder

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/workloads/endpoint"
	"github.com/sunder-dev/sunder/workloads/guard"
)

// Run runs a holder of a target's locks, and serves until ctx ends.
func Run(ctx context.Context, c Config, target harness.Target, out io.Writer) error {
	way := wayOf(c, target)
	h := New(way.open, guard.NewClient(c.Guard), harness.Monotonic, out)
	defer h.Close()
	var prepared atomic.Bool
	failed := make(chan error, 1)
	go func() {
		err := way.prepare(ctx)
		if prepared.Store(err == nil); err != nil {
			failed <- fmt.Errorf("prepare the locks: %w", err)
		}
	}()
	serving, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-failed:
			cancel(err)
		case <-serving.Done():
		}
	}()
	err := endpoint.Serve(serving, c.Listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !prepared.Load() {
			http.Error(w, "the locks are not prepared yet", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	}))
	if cause := context.Cause(serving); err == nil && ctx.Err() == nil {
		err = cause
	}
	return err
}

// way is how locks of a target are taken.
type way struct {
	prepare func(ctx context.Context) error
	open    func(process int) (harness.Locker, error)
}

func wayOf(c Config, target harness.Target) way {
	if l, ok := target.(harness.Locking); ok && c.Recipe == Own {
		return way{
			prepare: func(context.Context) error { return nil },
			open:    func(int) (harness.Locker, error) { return l.Locker(c.Members, c.TTL) },
		}
	}
	dial := func(ctx context.Context, member int) (harness.Client, error) {
		return target.Dial(ctx, remote(c.Members[member]))
	}
	return way{
		prepare: func(ctx context.Context) error {
			if !c.Prepares {
				return nil
			}
			return Prepare(ctx, dial, len(c.Members), c.Locks)
		},
		open: func(process int) (harness.Locker, error) {
			return NewLeases(dial, len(c.Members), process, c.TTL, fmt.Sprintf("p%d", process)), nil
		},
	}
}

// remote is a member that is called, and that nothing can be done to.
func remote(m harness.Member) harness.Node { return remoteNode{Node: nil, member: m} }

type remoteNode struct {
	harness.Node
	member harness.Member
}

// Name implements [harness.Node].
func (n remoteNode) Name() string { return n.member.Name }

// Addr implements [harness.Node].
func (n remoteNode) Addr(port string) string { return n.member.Addr[port] }
