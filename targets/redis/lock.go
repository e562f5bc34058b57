package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sunder-dev/sunder/harness"
)

// Locker implements [harness.Locking] as Redis documents it (SET, pattern of a lock): a key that is set if it is not
// there, with a TTL and a value that nobody else has; it is renewed, and deleted, only if it still has that value.
// Sentinels name the primary.
func (t *Target) Locker(members []harness.Member, ttl time.Duration) (harness.Locker, error) {
	var sentinels []string
	for _, m := range members {
		sentinels = append(sentinels, m.Addr[portSentinel])
	}
	return &locker{redis: t.failover(sentinels), ttl: ttl}, nil
}

type locker struct {
	redis *redis.Client
	ttl   time.Duration
	held  sync.WaitGroup
}

// acquire sets the key if it is not there, and returns the token: how often it was acquired, as the primary counts.
var acquire = redis.NewScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('INCR', KEYS[2])
end
return 0`)

var renew = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0`)

var release = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0`)

// retryShare is the part of the TTL after which a holder renews, and a waiter tries again.
const retryShare = 5

// Acquire implements [harness.Locker].
func (l *locker) Acquire(ctx context.Context, name string) (harness.Tenure, error) {
	value := rand.Text()
	for {
		asked := time.Now()
		token, err := acquire.Run(ctx, l.redis, []string{name, name + ":token"}, value, l.ttl.Milliseconds()).Int64()
		if err == nil && token > 0 && time.Since(asked) < l.ttl {
			t := &tenure{
				locker: l, name: name, value: value, token: uint64(token), lost: make(chan struct{}), over: make(chan struct{}),
			}
			l.held.Go(func() { t.keep(asked) })
			return t, nil
		}
		if ctx.Err() != nil {
			// It may have been set all the same, and nobody knows: it is gone after its TTL.
			return nil, fmt.Errorf("%s was not acquired: %w", name, errors.Join(ctx.Err(), err))
		}
		if err != nil {
			value = rand.Text() // the last one may be set, and is nobody's
		}
		wait := time.NewTimer(l.ttl / retryShare / 4)
		select {
		case <-ctx.Done():
			wait.Stop()
		case <-wait.C:
		}
	}
}

// Close implements [harness.Locker].
func (l *locker) Close(context.Context) error {
	err := l.redis.Close()
	l.held.Wait()
	return err
}

// tenure is a key that is set.
type tenure struct {
	*locker
	name, value string
	token       uint64
	lost        chan struct{}
	over        chan struct{}
	once        sync.Once
}

// Token implements [harness.Tenure].
func (t *tenure) Token() uint64 { return t.token }

// Lost implements [harness.Tenure].
func (t *tenure) Lost() <-chan struct{} { return t.lost }

// keep renews the key until it is given up, or could not be renewed for as long as it lasts.
func (t *tenure) keep(renewed time.Time) {
	for {
		wait := time.NewTimer(t.ttl / retryShare)
		select {
		case <-t.over:
			wait.Stop()
			return
		case <-wait.C:
		}
		asked := time.Now()
		ctx, cancel := context.WithDeadline(context.Background(), renewed.Add(t.ttl))
		ours, err := renew.Run(ctx, t.redis, []string{t.name}, t.value, t.ttl.Milliseconds()).Int64()
		cancel()
		switch {
		case err == nil && ours == 1:
			renewed = asked
		case err == nil, errors.Is(err, redis.ErrClosed), time.Since(renewed) >= t.ttl:
			close(t.lost)
			return
		}
	}
}

// Release implements [harness.Tenure].
func (t *tenure) Release(ctx context.Context) error {
	t.once.Do(func() { close(t.over) })
	return release.Run(ctx, t.redis, []string{t.name}, t.value).Err()
}
