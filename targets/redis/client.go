package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Client calls the primary that one member's sentinel names, as clients of Sentinel do.
type Client struct {
	redis *redis.Client
	wait  int
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return &Client{redis: t.failover([]string{n.Addr(portSentinel)}), wait: t.Wait}, nil
}

// failover returns a client of the primary that sentinels name. It makes one attempt at each call.
func (*Target) failover(sentinels []string) *redis.Client {
	o := options("")
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: primaryName, SentinelAddrs: sentinels, MaxRetries: o.MaxRetries, PoolSize: o.PoolSize,
		DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries,
		ContextTimeoutEnabled: true, DisableIdentity: true, Protocol: o.Protocol,
	})
}

// Close implements [harness.Client].
func (c *Client) Close() error { return c.redis.Close() }

// Read returns the value of a key, or nil if there is none.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	value, err := c.redis.Get(ctx, key).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, history.Stamp{}, nil
	case err != nil:
		return nil, history.Stamp{}, judge(err)
	}
	return &value, history.Stamp{}, nil
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	conn := c.redis.Conn()
	defer conn.Close()
	if err := conn.Set(ctx, key, value, 0).Err(); err != nil {
		return history.Stamp{}, judge(err)
	}
	return history.Stamp{}, c.replicated(ctx, conn)
}

// compareAndSet returns what a key holds, or nothing, and whether it was set.
var compareAndSet = redis.NewScript(`
local now = redis.call('GET', KEYS[1])
if now == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return {now, 1}
end
return {now, 0}`)

// CompareAndSet sets a key if it holds old, by a script, which nothing comes in between of.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	conn := c.redis.Conn()
	defer conn.Close()
	answer, err := compareAndSet.Run(ctx, conn, []string{key}, old, value).Slice()
	if err != nil {
		return history.Stamp{}, judge(err)
	}
	if len(answer) == 2 && answer[1] == int64(1) {
		return history.Stamp{}, c.replicated(ctx, conn)
	}
	// Proof: the script compared, and that was all it did.
	refusal := harness.Refusal{Reason: history.Mismatch, Known: true}
	if found, ok := answer[0].(string); ok {
		refusal.Found = &found
	}
	return history.Stamp{}, refusal
}

// replicated waits until as many replicas as are wanted have what a connection wrote: another one may be to another
// primary, and has written nothing. If they do not have it, nobody knows what will become of it.
func (c *Client) replicated(ctx context.Context, conn *redis.Conn) error {
	if c.wait == 0 {
		return nil
	}
	patience := time.Second
	if d, ok := ctx.Deadline(); ok {
		patience = max(time.Until(d)-50*time.Millisecond, time.Millisecond)
	}
	have, err := conn.Wait(ctx, c.wait, patience).Result()
	if err == nil && have < int64(c.wait) {
		err = fmt.Errorf("%d replicas have it, and %d are wanted", have, c.wait)
	}
	return err
}

// proofs are the errors that servers give before they do anything (server.c: processCommand). Everything else is a
// maybe.
var proofs = []string{
	"READONLY ",   // a replica, which takes no writes
	"LOADING ",    // it reads its file
	"MASTERDOWN ", // a replica without a primary
	"NOREPLICAS ", // fewer than min-replicas-to-write
}

// judge says whether an error proves that nothing was done.
func judge(err error) error {
	text := err.Error()
	for _, p := range proofs {
		if strings.HasPrefix(text, p) {
			return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // without a connection nothing has left
	}
	if strings.Contains(text, "all sentinels specified in configuration are unreachable") {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // it does not know whom to call
	}
	return err
}
