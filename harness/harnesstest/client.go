package harnesstest

import (
	"context"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Client is a client of one fake node.
type Client struct {
	node   *node
	closed bool
}

// Close closes the client; using it afterwards panics.
func (c *Client) Close() error {
	c.closed = true
	return nil
}

func (c *Client) do(ctx context.Context, act func(f *Fake) error) error {
	if c.closed {
		panic("a closed client is used")
	}
	if err := c.node.wait(ctx); err != nil {
		return err
	}
	f := c.node.fake
	f.mu.Lock()
	if serves := f.serves(c.node.name); serves {
		defer f.mu.Unlock()
		return act(f)
	}
	f.mu.Unlock()
	<-ctx.Done() // without a majority there is no answer
	return ctx.Err()
}

// Read returns a key's value.
func (c *Client) Read(ctx context.Context, key string) (value *string, at history.Stamp, err error) {
	err = c.do(ctx, func(f *Fake) error {
		values := f.values[key]
		if f.Mistakes.StaleReads && len(values) > 1 {
			values = values[:len(values)-1]
		}
		if n := len(values); n > 0 {
			v := strings.Clone(values[n-1])
			value = &v
		}
		return nil
	})
	return value, at, err
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	return history.Stamp{}, c.do(ctx, func(f *Fake) error {
		if f.writes++; !f.Mistakes.LoseWrites || f.writes%10 != 0 {
			f.values[key] = append(f.values[key], value)
		}
		return nil
	})
}

// CompareAndSet sets a key that holds old.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	return history.Stamp{}, c.do(ctx, func(f *Fake) error {
		if n := len(f.values[key]); n == 0 || f.values[key][n-1] != old {
			return harness.Refusal{Reason: history.Mismatch}
		}
		f.writes++
		f.values[key] = append(f.values[key], value)
		return nil
	})
}
