package consul

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sunder-dev/sunder/harness"
)

// Locker implements [harness.Locking] by Consul's own client, as users do: a session that is renewed, and a key that is
// acquired with it (api.Lock). A client talks to one server, as those of Consul do to the agent beside them, and waits
// for its answers without a limit: that is the client's default.
func (t *Target) Locker(members []harness.Member, ttl time.Duration) (harness.Locker, error) {
	c, err := api.NewClient(&api.Config{Address: "http://" + members[0].Addr[portHTTP]})
	if err != nil {
		return nil, err
	}
	return &locker{client: c, ttl: ttl, delay: t.LockDelay}, nil
}

// DefaultLockDelay is for how long nobody can acquire a lock whose session was lost, so that the former holder learns
// of it first. Consul's own default, 15 s, is a large part of a run.
const DefaultLockDelay = time.Second

// locker makes a session for each lock that it acquires.
type locker struct {
	client     *api.Client
	ttl, delay time.Duration
}

// lockWait is how long one look at a lock that another client holds waits for a change.
const lockWait = 500 * time.Millisecond

// Acquire implements [harness.Locker]. The token is the lock's LockIndex, which grows each time that it is acquired.
func (l *locker) Acquire(ctx context.Context, name string) (harness.Tenure, error) {
	mine := rand.Text()
	lock, err := l.client.LockOpts(&api.LockOptions{
		Key: name, Value: []byte(mine), SessionTTL: l.ttl.String(), LockDelay: l.delay, LockWaitTime: lockWait,
	})
	if err != nil {
		return nil, err
	}
	lost, err := lock.Lock(ctx.Done())
	switch {
	case err != nil:
		return nil, err
	case lost == nil:
		return nil, fmt.Errorf("%s was not acquired: %w", name, ctx.Err())
	}
	query := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
	pair, _, err := l.client.KV().Get(name, query)
	if err == nil && (pair == nil || pair.Session == "" || string(pair.Value) != mine) {
		err = errors.New("it is lost already, and the token is another holder's")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("token of %s: %w", name, err), lock.Unlock())
	}
	return &tenure{lock: lock, token: pair.LockIndex, lost: lost}, nil
}

// Close implements [harness.Locker]: sessions that are renewed no more end by themselves.
func (l *locker) Close(context.Context) error { return nil }

// tenure is a key that is acquired.
type tenure struct {
	lock  *api.Lock
	token uint64
	lost  <-chan struct{}
}

// Token implements [harness.Tenure].
func (t *tenure) Token() uint64 { return t.token }

// Lost implements [harness.Tenure].
func (t *tenure) Lost() <-chan struct{} { return t.lost }

// Release implements [harness.Tenure].
func (t *tenure) Release(context.Context) error { return t.lock.Unlock() }
