package nemesis

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
)

// The shapes of partitions, with Jepsen's names where it has one.
const (
	// isolate cuts every node that is hit off from all others.
	isolate = "isolate"
	// halves splits the cluster in a minority and a majority, such as 2 and 3, or an even one in two halves, in three
	// cases of four: neither has a quorum then, and a quorum that is too small by one is found out. If aimed at the
	// leader, it is in the smaller side; if at a majority, it is in the larger.
	halves = "halves"
	// majoritiesRing leaves every node in contact with a majority, and no two with the same.
	majoritiesRing = "majorities-ring"
	// bridge splits the cluster in two, but for one node that reaches both sides.
	bridge = "bridge"
	// oneWay makes nodes deaf (nothing reaches them) or mute (nothing that they say does).
	oneWay = "one-way"
)

var (
	partitionShapes = []string{isolate, halves, majoritiesRing, bridge, oneWay}
	partitionAims   = []string{one, leader, minority, majority}
)

// Partition cuts links.
type Partition struct {
	Shape string `json:"shape"`
	Aim   string `json:"aim,omitempty"`
	// Nodes are those that are hit: the isolated, the minority, the bridge, the deaf or mute.
	Nodes []string       `json:"nodes,omitempty"`
	Links []harness.Link `json:"links"`
}

// Kind implements [harness.Fault].
func (f Partition) Kind() string { return f.Shape }

// Inject implements [harness.Fault].
func (f Partition) Inject(ctx context.Context, in *harness.Injection) error {
	return in.Cut(ctx, f.Links...)
}

func newPartition(shape, aim string) harness.Nemesis {
	return aimFunc(func(r *rand.Rand, v harness.View) harness.Fault {
		f := aimPartition(r, v, draw(r, shape, partitionShapes), draw(r, aim, partitionAims))
		if !noticed(v, f.Links) {
			return nil
		}
		return f
	})
}

// noticed reports whether somebody sends on any of the links: what is wrong with the others, nobody would
// ever notice.
func noticed(v harness.View, links []harness.Link) bool {
	return slices.ContainsFunc(links, func(l harness.Link) bool {
		return slices.Contains(v.Up, l.From) && !slices.Contains(v.Unplugged, l.To)
	})
}

// aimPartition decides which links to cut.
func aimPartition(r *rand.Rand, v harness.View, shape, aim string) Partition {
	f := Partition{Shape: shape, Aim: aim}
	if aim == leader && len(v.Leaders) == 0 {
		return f
	}
	switch shape {
	case isolate:
		f.Nodes = targets(r, v, aim)
		for i, n := range f.Nodes {
			f.Links = append(f.Links, between([]string{n}, without(v.Nodes, f.Nodes[:i+1]))...)
		}
	case halves:
		f.Nodes = smallSide(r, v, aim)
		f.Links = between(f.Nodes, without(v.Nodes, f.Nodes))
	case majoritiesRing:
		f.Aim = "" // it hits all alike
		f.Links = ringCuts(shuffled(r, v.Nodes))
	case bridge:
		f.Nodes = targets(r, v, map[string]string{leader: leader}[aim])
		rest := shuffled(r, without(v.Nodes, f.Nodes))
		f.Links = between(rest[:len(rest)/2], rest[len(rest)/2:])
	case oneWay:
		f.Nodes = targets(r, v, aim)
		deaf := r.IntN(2) == 0
		for _, l := range between(f.Nodes, without(v.Nodes, f.Nodes)) {
			if hit := slices.Contains(f.Nodes, l.To); hit == deaf {
				f.Links = append(f.Links, l)
			}
		}
	}
	return f
}

// smallSide returns a minority, or half of an even number: with the leader in it, without it, or as it comes.
func smallSide(r *rand.Rand, v harness.View, aim string) []string {
	order := shuffled(r, v.Nodes)
	count := max(1, (len(order)-1)/2)
	if len(order)%2 == 0 && r.IntN(4) > 0 {
		count = len(order) / 2
	}
	if len(v.Leaders) == 0 || (aim != leader && aim != majority) {
		return order[:count]
	}
	lead := v.Leaders[:1]
	if others := without(order, lead); aim == majority {
		return others[:min(count, len(others))]
	} else {
		return append(others[:count-1:count-1], lead...)
	}
}

// between returns all links from one group to the other, and back.
func between(a, b []string) []harness.Link {
	var links []harness.Link
	for _, x := range a {
		for _, y := range b {
			links = append(links, harness.Link{From: x, To: y}.Both()...)
		}
	}
	return links
}

// ringCuts cuts all links between nodes that are further apart on the ring than it takes for
// each to see a majority, itself among it. Three nodes are too few for a ring: there, two of
// them lose sight of each other, which leaves three different majorities as well.
func ringCuts(ring []string) []harness.Link {
	n := len(ring)
	reach := (n/2 + 1) / 2 // on each side: 2*reach+1 >= n/2+1
	if n == 3 {
		return harness.Link{From: ring[0], To: ring[1]}.Both()
	}
	var links []harness.Link
	for i := range ring {
		for j := i + 1; j < n; j++ {
			if apart := min(j-i, n-(j-i)); apart > reach {
				links = append(links, harness.Link{From: ring[i], To: ring[j]}.Both()...)
			}
		}
	}
	return links
}
