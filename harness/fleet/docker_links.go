package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/agent"
)

// Shape implements [harness.Fleet]: every node that something changes for is told side by side.
func (f *Docker) Shape(ctx context.Context, links map[harness.Link]harness.Impairment) error {
	_, err := f.shape(ctx, links)
	return err
}

// shape returns what the agents said: when the new states were in force.
func (f *Docker) shape(ctx context.Context, links map[harness.Link]harness.Impairment) ([]agent.Shaped, error) {
	f.mu.Lock()
	receivers := map[string]bool{}
	for l, i := range links {
		f.links[l] = i
		// What is unplugged receives nothing, and learns of its links when it is plugged in again.
		if !f.unplug[l.To] {
			receivers[l.To] = true
		}
	}
	states := make(map[string]map[netip.Addr]harness.Impairment, len(receivers))
	for to := range receivers {
		states[to] = f.incoming(to)
	}
	f.mu.Unlock()

	var mu sync.Mutex
	var said []agent.Shaped
	var group errgroup.Group
	for to, state := range states {
		group.Go(func() error {
			s, err := f.pods[to].agent.Set(ctx, state)
			if err != nil {
				return fmt.Errorf("links to %s: %w", to, err)
			}
			mu.Lock()
			defer mu.Unlock()
			said = append(said, s)
			return nil
		})
	}
	err := group.Wait()
	return said, err
}

// incoming returns what is wrong with the links to a node, by the sender's address; the caller
// holds mu.
func (f *Docker) incoming(to string) map[netip.Addr]harness.Impairment {
	state := map[netip.Addr]harness.Impairment{}
	for l, i := range f.links {
		if l.To == to && i != (harness.Impairment{}) {
			state[f.pods[l.From].addr] = i
		}
	}
	return state
}

// Probe implements [harness.Prober]: the agents send, whether the nodes run or not.
func (f *Docker) Probe(ctx context.Context, links []harness.Link) error {
	peers := map[string][]netip.Addr{}
	f.mu.Lock()
	for _, l := range links {
		if !f.unplug[l.From] {
			peers[l.From] = append(peers[l.From], f.pods[l.To].addr)
		}
	}
	f.mu.Unlock()
	var group errgroup.Group
	for from, to := range peers {
		group.Go(func() error { return f.pods[from].agent.Probe(ctx, to) })
	}
	return group.Wait()
}

// Traffic implements [harness.Fleet]: what the receivers' packet rules have counted.
func (f *Docker) Traffic(ctx context.Context, links []harness.Link) (map[harness.Link]harness.Traffic, error) {
	f.mu.Lock()
	seen := map[string]map[netip.Addr]harness.Traffic{}
	receivers := map[string]bool{}
	for _, l := range links {
		if f.unplug[l.To] {
			seen[l.To] = f.lastSeen[l.To]
		} else {
			receivers[l.To] = true
		}
	}
	f.mu.Unlock()

	var mu sync.Mutex
	var group errgroup.Group
	for to := range receivers {
		group.Go(func() error {
			t, err := f.pods[to].agent.Traffic(ctx)
			if err != nil {
				return fmt.Errorf("traffic to %s: %w", to, err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[to] = t
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	traffic := make(map[harness.Link]harness.Traffic, len(links))
	for _, l := range links {
		traffic[l] = seen[l.To][f.pods[l.From].addr]
	}
	return traffic, nil
}
