package etcd

import (
	"context"
	"fmt"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"

	"github.com/sunder-dev/sunder/harness"
)

// Locker implements [harness.Locking] by etcd's own client and its package concurrency, as users do: a session whose
// lease is kept alive, Mutex and Election. The client knows all members and tries again by itself; what it does then is
// part of what is tested.
func (t *Target) Locker(members []harness.Member, ttl time.Duration) (harness.Locker, error) {
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, "http://"+m.Addr[portClient])
	}
	ctx, cancel := context.WithCancel(context.Background())
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: ttl, Context: ctx, Logger: zap.NewNop(),
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return &locker{client: client, cancel: cancel, ttl: ttl}, nil
}

// locker is a session. Its mutexes and elections are lost together.
type locker struct {
	client  *clientv3.Client
	cancel  context.CancelFunc // of whatever the client does
	ttl     time.Duration
	session *concurrency.Session
}

// cleanUpTime is how long the client may take, once a call is given up, to take back what it wrote for it.
const cleanUpTime = 300 * time.Millisecond

// within makes a call that ends with ctx, or a little later: concurrency cleans up without a limit of its own.
func (l *locker) within(ctx context.Context, call func(context.Context) error) error {
	defer context.AfterFunc(ctx, func() { time.AfterFunc(cleanUpTime, l.cancel) })()
	if l.session == nil {
		// The server takes whole seconds.
		s, err := concurrency.NewSession(l.client, concurrency.WithTTL(int(math.Ceil(l.ttl.Seconds()))))
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		l.session = s
	}
	return call(ctx)
}

// Acquire implements [harness.Locker].
func (l *locker) Acquire(ctx context.Context, name string) (harness.Tenure, error) {
	var m *concurrency.Mutex
	if err := l.within(ctx, func(ctx context.Context) error {
		m = concurrency.NewMutex(l.session, name)
		return m.Lock(ctx)
	}); err != nil {
		return nil, err
	}
	owner := m.IsOwner()
	return &tenure{token: uint64(owner.GetCompare().GetCreateRevision()), lost: l.session.Done(), release: m.Unlock}, nil
}

// Campaign implements [harness.Elector].
func (l *locker) Campaign(ctx context.Context, election, candidate string) (harness.Tenure, error) {
	var e *concurrency.Election
	if err := l.within(ctx, func(ctx context.Context) error {
		e = concurrency.NewElection(l.session, election)
		return e.Campaign(ctx, candidate)
	}); err != nil {
		return nil, err
	}
	return &tenure{token: uint64(e.Rev()), lost: l.session.Done(), release: e.Resign}, nil
}

// Close implements [harness.Locker]: the session's lease is kept alive no more.
func (l *locker) Close(context.Context) error {
	l.cancel()
	return l.client.Close()
}

// tenure is a key with the session's lease; its token is the revision at which the key was created.
type tenure struct {
	token   uint64
	lost    <-chan struct{}
	release func(context.Context) error
}

// Token implements [harness.Tenure].
func (t *tenure) Token() uint64 { return t.token }

// Lost implements [harness.Tenure].
func (t *tenure) Lost() <-chan struct{} { return t.lost }

// Release implements [harness.Tenure].
func (t *tenure) Release(ctx context.Context) error { return t.release(ctx) }
