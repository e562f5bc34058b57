package docker

import (
	"context"
	"fmt"
	"math/rand/v2"
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
		if err := harness.Fit("link "+l.String(), i.Needs(), "the docker fleet", f.Can()); err != nil {
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
	_, _, err := f.send(ctx, links)
	return err
}

// send sends a probe over each link, and returns its number and when it was sent, as far as it was.
func (f *Fleet) send(
	ctx context.Context, links []harness.Link,
) (numbers map[harness.Link]uint64, sent map[harness.Link]int64, err error) {
	numbers, sent = map[harness.Link]uint64{}, map[harness.Link]int64{}
	probes, senders := map[string]map[netip.Addr]uint64{}, map[string]bool{}
	for _, l := range links {
		if probes[l.From] == nil {
			probes[l.From] = map[netip.Addr]uint64{}
		}
		numbers[l] = rand.Uint64() // a node that sends some of its own cannot know it
		senders[l.From], probes[l.From][f.pods[l.To].addr] = true, numbers[l]
	}
	var mu sync.Mutex
	err = f.each(senders, func(from string, p *pod) error {
		if p.unplugged {
			return nil
		}
		at, err := p.agent.Probe(ctx, probes[from])
		mu.Lock()
		defer mu.Unlock()
		for _, l := range links {
			if t, ok := at[f.pods[l.To].addr]; ok && l.From == from {
				sent[l] = t
			}
		}
		return err
	})
	return numbers, sent, err
}

// probePatience is for how long a probe is waited for, beside the time that its link is to take, and probeAgain how
// often it is looked for.
const (
	probePatience = 200 * time.Millisecond
	probeAgain    = 2 * time.Millisecond
)

// Delays implements [harness.Timer]. All agents are on one machine, and read one clock.
func (f *Fleet) Delays(ctx context.Context, links []harness.Link) (map[harness.Link]time.Duration, error) {
	wait := probePatience
	f.mu.Lock()
	for _, l := range links {
		wait = max(wait, probePatience+f.links[l].Delay+f.links[l].Jitter)
	}
	f.mu.Unlock()
	numbers, sent, err := f.send(ctx, links)
	if err != nil {
		return nil, err
	}
	took := make(map[harness.Link]time.Duration, len(links))
	timeout := time.After(wait)
	for {
		receivers, open := map[string]bool{}, map[string][]uint64{}
		for l := range sent {
			if _, seen := took[l]; !seen {
				receivers[l.To] = true
				open[l.To] = append(open[l.To], numbers[l])
			}
		}
		if len(receivers) == 0 {
			return took, nil
		}
		var mu sync.Mutex
		err := f.each(receivers, func(to string, p *pod) error {
			if p.unplugged {
				return nil
			}
			at, err := p.agent.Arrived(ctx, open[to])
			mu.Lock()
			defer mu.Unlock()
			for l, began := range sent {
				if t, ok := at[numbers[l]]; ok {
					took[l] = time.Duration(t - began)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return took, nil
		case <-timeout:
			return took, nil
		case <-time.After(probeAgain):
		}
	}
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
