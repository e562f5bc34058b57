package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Grant sets a key, if it is not there, with a time to live.
func (c *Client) Grant(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error) {
	conn := c.redis.Conn()
	defer conn.Close()
	set, err := conn.SetNX(ctx, key, strconv.FormatUint(value, 10), ttl).Result()
	switch {
	case err != nil:
		return 0, judge(err)
	case !set:
		return 0, harness.Refusal{Reason: history.Taken} // Proof: NX sets nothing where something is
	}
	return ttl, c.replicated(ctx, conn)
}

// KeepAlive gives a key with a value its time to live again.
func (c *Client) KeepAlive(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error) {
	conn := c.redis.Conn()
	defer conn.Close()
	ours, err := renew.Run(ctx, conn, []string{key}, strconv.FormatUint(value, 10), ttl.Milliseconds()).Int64()
	switch {
	case err != nil:
		return 0, judge(err)
	case ours == 0:
		return 0, harness.Refusal{Reason: history.Gone} // Proof: the script compared, and that was all it did
	}
	return ttl, c.replicated(ctx, conn)
}

// Revoke deletes a key with a value.
func (c *Client) Revoke(ctx context.Context, key string, value uint64) error {
	conn := c.redis.Conn()
	defer conn.Close()
	ours, err := release.Run(ctx, conn, []string{key}, strconv.FormatUint(value, 10)).Int64()
	switch {
	case err != nil:
		return judge(err)
	case ours == 0:
		return harness.Refusal{Reason: history.Gone}
	}
	return c.replicated(ctx, conn)
}
