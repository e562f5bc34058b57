package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Sites say which nodes are near each other, as in data centres: what goes from one site to another takes Apart, one
// way, beside what faults do to it. Clients are near all nodes.
type Sites struct {
	Sizes []int // of the first nodes, the next ones, ...; none is one site
	Apart time.Duration
}

// Of returns the nodes of each site; nil if all are in one.
func (s Sites) Of(nodes []string) (sites [][]string) {
	for _, size := range s.Sizes {
		size = min(size, len(nodes))
		sites = append(sites, nodes[:size:size])
		nodes = nodes[size:]
	}
	return sites
}

// validate says what is wrong with sites of a number of nodes whose members are set to timing, if that is known.
func (s Sites) validate(nodes int, t Target) error {
	if len(s.Sizes) == 0 {
		return nil
	}
	total := 0
	for _, size := range s.Sizes {
		if total += size; size < 1 {
			return fmt.Errorf("a site of %d nodes: at least 1", size)
		}
	}
	if total != nodes || len(s.Sizes) < 2 {
		return fmt.Errorf("sites of %v nodes are no two or more sites of %d nodes", s.Sizes, nodes)
	}
	if s.Apart < 0 {
		return fmt.Errorf("sites %v apart: not below 0s", s.Apart)
	}
	if timed, ok := t.(Timed); ok {
		if timing := timed.Timing(); timing.Election > 0 && timing.Heartbeat+2*s.Apart > timing.Election {
			return fmt.Errorf("sites %v apart: a heartbeat every %v, and there and back, are more than the election timeout of "+
				"%v, so that leaders are lost all the time", s.Apart, timing.Heartbeat, timing.Election)
		}
	}
	return nil
}

// between returns the links between nodes of different sites.
func (s Sites) between(nodes []string) (links []Link) {
	sites := s.Of(nodes)
	for i, site := range sites {
		for _, n := range site {
			for _, other := range slices.Concat(sites[i+1:]...) {
				links = append(links, Link{From: n, To: other}.Both()...)
			}
		}
	}
	return links
}

// moveApart lets the links between sites be as late as they are to be, for as long as the cluster lasts.
func (c *Cluster) moveApart(ctx context.Context) error {
	links := c.Sites.between(c.names)
	if len(links) == 0 || c.Sites.Apart == 0 {
		return nil
	}
	if _, ok := c.fleet.(Shaper); !ok {
		return errors.New("sites: this fleet does not shape links")
	}
	return c.impair(ctx, Impairment{Delay: c.Sites.Apart}, links)
}
