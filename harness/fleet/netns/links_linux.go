package netns

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
)

// Shape implements [harness.Shaper]: the rules of all receivers are set side by side.
func (f *Fleet) Shape(_ context.Context, links map[harness.Link]harness.Impairment) error {
	for l, i := range links {
		if err := harness.Fit("link "+l.String(), i.Needs(), "the netns fleet", f.Can()); err != nil {
			return err
		}
	}
	receivers := map[string]bool{}
	f.mu.Lock()
	for l, i := range links {
		f.links[l] = i
		receivers[l.To] = true
	}
	f.mu.Unlock()
	var all errgroup.Group
	for to := range receivers {
		all.Go(func() error {
			p := f.places[to]
			p.setting.Lock()
			defer p.setting.Unlock()
			if err := p.rules.Set(f.incoming(to)); err != nil {
				return fmt.Errorf("links to %s: %w", to, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// incoming returns what is to be wrong with the links to a node by now, by the sender's address.
func (f *Fleet) incoming(to string) map[netip.Addr]harness.Impairment {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := map[netip.Addr]harness.Impairment{}
	for l, i := range f.links {
		if l.To == to && i != (harness.Impairment{}) {
			state[f.places[l.From].addr] = i
		}
	}
	return state
}

// Traffic implements [harness.Shaper]: what the receivers' packet rules have counted.
func (f *Fleet) Traffic(_ context.Context, links []harness.Link) (map[harness.Link]harness.Traffic, error) {
	counted := map[string]map[netip.Addr]harness.Traffic{}
	traffic := make(map[harness.Link]harness.Traffic, len(links))
	for _, l := range links {
		if counted[l.To] == nil {
			seen, err := f.places[l.To].rules.Traffic()
			if err != nil {
				return nil, fmt.Errorf("traffic to %s: %w", l.To, err)
			}
			counted[l.To] = seen
		}
		traffic[l] = counted[l.To][f.places[l.From].addr]
	}
	return traffic, nil
}
