package targettest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads"
)

// leaseTTL is that of the leases that are tried.
const leaseTTL = 2 * time.Second

// leases proves what the workload lease relies on, by clients of two members.
func leases(ctx context.Context, t harness.Target, cluster *harness.Cluster) (err error) {
	var clients []workloads.Leaser
	for _, name := range cluster.Nodes()[:2] {
		c, err := t.Dial(ctx, cluster.Node(name))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		l, ok := c.(workloads.Leaser)
		if !ok {
			return fmt.Errorf("the target says that it has leases, and its client is a %T", c)
		}
		clients = append(clients, l)
	}
	return leasesOf(ctx, clients[0], clients[1])
}

func leasesOf(ctx context.Context, one, other workloads.Leaser) error {
	const key, first, second, third = "leased", 1, 2, 3
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	holds := func(l workloads.Leaser, want uint64) error {
		value, _, err := l.Read(ctx, key)
		switch {
		case err != nil:
			return err
		case value == nil && want != 0 || value != nil && *value != strconv.FormatUint(want, 10):
			return fmt.Errorf("the key holds %s, not %d", shown(value), want)
		}
		return nil
	}
	refused := func(err error, why string) error {
		if r := (harness.Refusal{}); !errors.As(err, &r) || r.Reason != why {
			return fmt.Errorf("that is to be refused as %s, not %w", why, err)
		}
		return nil
	}
	time := func(ttl time.Duration, err error) error {
		if err == nil && ttl < leaseTTL {
			err = fmt.Errorf("it is given %v, and %v was asked for", ttl, leaseTTL)
		}
		return err
	}
	for _, step := range []struct {
		about string
		try   func() error
	}{
		{"grant", func() error { return time(one.Grant(ctx, key, first, leaseTTL)) }},
		{"read at another member what was granted", func() error { return holds(other, first) }},
		{"grant what is taken", func() error {
			_, err := other.Grant(ctx, key, second, leaseTTL)
			return refused(err, history.Taken)
		}},
		{"keep alive by another client", func() error { return time(other.KeepAlive(ctx, key, first, leaseTTL)) }},
		{"revoke by another client", func() error { return other.Revoke(ctx, key, first) }},
		{"read what was revoked", func() error { return holds(one, 0) }},
		{"keep alive what was revoked", func() error {
			_, err := one.KeepAlive(ctx, key, first, leaseTTL)
			return refused(err, history.Gone)
		}},
		{"revoke what was revoked", func() error { return refused(one.Revoke(ctx, key, first), history.Gone) }},
		{"grant again", func() error { return time(one.Grant(ctx, key, third, leaseTTL)) }},
		{"read what was granted again", func() error { return holds(one, third) }},
		{"let it run out", func() error {
			over := func() bool { return holds(one, 0) == nil }
			return harnesstest.Eventually(ctx, history.LeaseOver(leaseTTL), "the key is gone", over)
		}},
	} {
		if err := step.try(); err != nil {
			return fmt.Errorf("%s: %w", step.about, err)
		}
	}
	return nil
}
