package docker

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/agent"
)

// Shape implements [harness.Shaper]: every node that something changes for is told side by side.
func (f *Fleet) Shape(ctx context.Context, links map[harness.Link]harness.Impairment) error {
	_, err := f.shape(ctx, links)
	return err
}

// shape returns what the agents said: when the new states were in force.
func (f *Fleet) shape(ctx context.Context, links map[harness.Link]harness.Impairment) ([]agent.Shaped, error) {
	for l, i := range links {
		if err := harness.Fit("link "+l.String(), i.Needs(), "the docker fleet", Can()); err != nil {
			return nil, err
		}
	}
	receivers := map[string]bool{}
	f.mu.Lock()
	for l, i := range links {
		f.links[l] = i
		receivers[l.To] = true
	}
	f.mu.Unlock()
	var mu sync.Mutex
	var said []agent.Shaped
	err := f.each(receivers, func(to string, p *pod) error {
		if p.unplugged {
			return nil // it receives nothing, and learns of its links when it is plugged in again
		}
		s, err := p.agent.Set(ctx, f.incoming(to))
		if err != nil {
			return fmt.Errorf("links to %s: %w", to, err)
		}
		mu.Lock()
		defer mu.Unlock()
		said = append(said, s)
		return nil
	})
	return said, err
}

// each talks to pods side by side.
func (f *Fleet) each(names map[string]bool, talk func(name string, p *pod) error) error {
	var group errgroup.Group
	for name := range names {
		group.Go(func() error {
			p := f.pods[name]
			p.talk.Lock()
			defer p.talk.Unlock()
			return talk(name, p)
		})
	}
	return group.Wait()
}

// incoming returns what is to be wrong with the links to a node by now, by the sender's address.
func (f *Fleet) incoming(to string) map[netip.Addr]harness.Impairment {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := map[netip.Addr]harness.Impairment{}
	for l, i := range f.links {
		if l.To == to && i != (harness.Impairment{}) {
			state[f.pods[l.From].addr] = i
		}
	}
	return state
}

// Patience implements [harness.Prober]: there is no way around the rules.
func (f *Fleet) Patience() time.Duration { return 0 }

// Probe implements [harness.Prober]: the agents send, whether the nodes run or not.
func (f *Fleet) Probe(ctx context.Context, links []harness.Link) error {
	peers := map[string][]netip.Addr{}
	senders := map[string]bool{}
	for _, l := range links {
		senders[l.From] = true
		peers[l.From] = append(peers[l.From], f.pods[l.To].addr)
	}
	return f.each(senders, func(from string, p *pod) error {
		if p.unplugged {
			return nil
		}
		return p.agent.Probe(ctx, peers[from])
	})
}

// Traffic implements [harness.Shaper]: what the receivers' packet rules have counted.
func (f *Fleet) Traffic(ctx context.Context, links []harness.Link) (map[harness.Link]harness.Traffic, error) {
	receivers := map[string]bool{}
	for _, l := range links {
		receivers[l.To] = true
	}
	var mu sync.Mutex
	seen := map[string]map[netip.Addr]harness.Traffic{}
	err := f.each(receivers, func(to string, p *pod) error {
		t := p.lastSeen
		if !p.unplugged {
			var err error
			if t, err = p.agent.Traffic(ctx); err != nil {
				return fmt.Errorf("traffic to %s: %w", to, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		seen[to] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	traffic := make(map[harness.Link]harness.Traffic, len(links))
	for _, l := range links {
		traffic[l] = seen[l.To][f.pods[l.From].addr]
	}
	return traffic, nil
}
