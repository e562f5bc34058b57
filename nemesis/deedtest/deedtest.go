// Package deedtest proves kinds of deeds, in the manner of testing/fstest: that they do what they say, that others see
// it, and that healing takes it back. A new kind proves itself with one call of [Test].
package deedtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// Nodes are those of the cluster in memory that deeds are done to.
var nodes = harness.NodeNames(5)

// Test does deeds of one kind to a cluster in memory, and fails t if [Check] finds anything wrong with them.
func Test(t *testing.T, kind harness.DeedKind, deeds ...harness.Deed) {
	t.Helper()
	require.NotEmpty(t, deeds)
	for _, d := range deeds {
		synctest.Test(t, func(t *testing.T) { require.NoError(t, Check(t.Context(), kind, d)) })
	}
}

// Check does a deed to a cluster in memory and says what is wrong with its kind. It takes no time within a
// testing/synctest bubble.
func Check(ctx context.Context, kind harness.DeedKind, d harness.Deed) error {
	if kind.About == "" || len(kind.Needs)+len(kind.Asks) == 0 {
		return errors.New("it does not say what it is about, or what it needs")
	}
	takes, err := checkTakes(kind, d)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what  string
		check func(context.Context, harness.DeedKind, harness.Deed, history.Takes) error
	}{
		{"done and undone", once}, {"done twice", twice}, {"on a fleet where it has no effect", inVain},
		{"cut short", halfWay},
	} {
		if err := c.check(ctx, kind, d, takes); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// checkTakes asks a kind what a deed takes, which it must say without doing anything, and what it refuses.
func checkTakes(kind harness.DeedKind, d harness.Deed) (history.Takes, error) {
	takes, err := kind.Takes(d)
	if err != nil {
		return takes, fmt.Errorf("it refuses the deed: %w", err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return takes, err
	}
	var read harness.Deed
	if err := json.Unmarshal(text, &read); err != nil {
		return takes, err
	}
	again, err := kind.Takes(read)
	if err != nil || !reflect.DeepEqual(takes, again) {
		return takes, fmt.Errorf(
			"what it takes is %v at first, and %v (%w) after the deed was written and read",
			takes,
			again,
			err,
		)
	}
	switch nothing := reflect.DeepEqual(takes, history.Takes{}); {
	case kind.Operation && !nothing:
		return takes, fmt.Errorf("it only asks members for something, and takes %+v", takes)
	case nothing && !kind.Operation:
		return takes, errors.New("it takes nothing from the cluster: then nobody needs to know of it")
	}
	odd := d
	odd.With = json.RawMessage(`{"no such setting":1}`)
	if _, err := kind.Takes(odd); err == nil {
		return takes, errors.New("it does not refuse a setting that it does not know")
	}
	if _, err := kind.Takes(harness.Deed{Kind: d.Kind, With: d.With}); err == nil {
		return takes, errors.New("it does not refuse a deed to nobody")
	}
	return takes, nil
}

// cluster launches a cluster in memory.
func cluster(ctx context.Context, m harnesstest.Mistakes) (*harness.Cluster, *harnesstest.Fake, error) {
	fake := harnesstest.New(m)
	c := harness.NewCluster(fake, fake, nodes, func(string) {})
	return c, fake, c.Launch(ctx, 1, func(string) io.Writer { return io.Discard })
}

// seen is what an observer who knows nothing of deeds sees to be wrong with a cluster.
func seen(ctx context.Context, c *harness.Cluster, fake *harnesstest.Fake) (takes history.Takes) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	takes.Disk = fake.Wiped()
	for _, n := range nodes {
		to, back := harness.Link{From: history.Clients, To: n}, harness.Link{From: n, To: history.Clients}
		if fake.State(to).Drop || fake.State(back).Drop { // whether it is down is not to be seen from here
			takes.Stranded = append(takes.Stranded, n)
		} else if _, err := fake.Status(ctx, c.Node(n)); err != nil {
			takes.Down = append(takes.Down, n)
		}
		if v, err := fake.VersionOf(ctx, c.Node(n)); err == nil && v != "" {
			takes.Version = append(takes.Version, n)
		}
	}
	links := make(map[harness.Link][]harness.Impairment)
	for range 40 { // what comes and goes shows only to those who look for a while
		for _, n := range nodes {
			for _, to := range nodes {
				l := harness.Link{From: n, To: to}
				links[l] = append(links[l], fake.State(l))
			}
		}
		<-time.After(23 * time.Millisecond)
	}
	for l, states := range links {
		cut := slices.DeleteFunc(slices.Clone(states), func(i harness.Impairment) bool { return !i.Drop })
		switch i := states[len(states)-1]; {
		case len(cut) == len(states):
			takes.Cut = append(takes.Cut, l)
		case len(cut) > 0, i.Loss > 0, i.Corrupt > 0, i.Rate > 0:
			takes.Lossy = append(takes.Lossy, l)
		case i.Delay > 0:
			takes.Slow = append(takes.Slow, l)
		case i.Reorder > 0, i.Duplicate > 0:
			takes.Garbled = append(takes.Garbled, l)
		}
	}
	return takes
}

// same reports whether two takes are of the same things, in whatever order.
func same(a, b history.Takes) bool {
	return equal(a.Down, b.Down) && equal(a.Stranded, b.Stranded) && equal(a.Disk, b.Disk) && equal(a.Clock, b.Clock) &&
		equal(a.Cut, b.Cut) && equal(a.Lossy, b.Lossy) && equal(a.Slow, b.Slow) &&
		equal(a.Garbled, b.Garbled) && equal(a.Version, b.Version)
}

func equal[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x T) bool { return !slices.Contains(b, x) })
}

// once does the deed, looks at the cluster, and heals it.
func once(ctx context.Context, kind harness.DeedKind, d harness.Deed, takes history.Takes) error {
	c, fake, err := cluster(ctx, harnesstest.Mistakes{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it is in memory
	in := c.NewInjection()
	if err := kind.Do(ctx, in, d); err != nil {
		return fmt.Errorf("it fails: %w", err)
	}
	if evidence, err := in.Evidence(); err != nil || string(evidence) == "{}" {
		return fmt.Errorf("it has no evidence (%w)", err)
	}
	if now := seen(ctx, c, fake); !same(now, takes) {
		return fmt.Errorf("it says that it takes %+v, and what others see is %+v", takes, now)
	}
	if err := in.Heal(ctx); err != nil {
		return fmt.Errorf("it cannot be undone: %w", err)
	}
	if left := seen(ctx, c, fake); !same(left, history.Takes{}) {
		return fmt.Errorf("healing it leaves %+v", left)
	}
	return nil
}

// twice does the deed in two faults that overlap: it is gone when both are healed.
func twice(ctx context.Context, kind harness.DeedKind, d harness.Deed, takes history.Takes) error {
	c, fake, err := cluster(ctx, harnesstest.Mistakes{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	first, second := c.NewInjection(), c.NewInjection()
	if err := kind.Do(ctx, first, d); err != nil {
		return err
	}
	_ = kind.Do(ctx, second, d) // it may say that there was nothing left to do
	if err := first.Heal(ctx); err != nil {
		return err
	}
	if now := seen(ctx, c, fake); !same(now, takes) {
		return fmt.Errorf("the first of two faults is healed, and what others see is %+v, not %+v", now, takes)
	}
	if err := second.Heal(ctx); err != nil {
		return err
	}
	if left := seen(ctx, c, fake); !same(left, history.Takes{}) {
		return fmt.Errorf("healing both leaves %+v", left)
	}
	return nil
}

// inVain does the deed where nothing takes effect: it must not say that it was seen to.
func inVain(ctx context.Context, kind harness.DeedKind, d harness.Deed, _ history.Takes) error {
	c, _, err := cluster(ctx, harnesstest.Mistakes{Inert: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	in := c.NewInjection()
	if err := kind.Do(ctx, in, d); err == nil {
		return errors.New("nothing has happened, and it says that it was seen to act")
	}
	_ = in.Heal(ctx) // there is nothing to heal
	return nil
}

// halfWay heals the deed after it was cut short: whatever it had begun is undone.
func halfWay(ctx context.Context, kind harness.DeedKind, d harness.Deed, _ history.Takes) error {
	c, fake, err := cluster(ctx, harnesstest.Mistakes{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	in := c.NewInjection()
	short, cancel := context.WithCancel(ctx)
	cancel()
	_ = kind.Do(short, in, d) // it may do it, or not
	if err := in.Heal(ctx); err != nil {
		return err
	}
	if left := seen(ctx, c, fake); !same(left, history.Takes{}) {
		return fmt.Errorf("healing what was cut short leaves %+v", left)
	}
	return nil
}
