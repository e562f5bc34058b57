package nemesis

import (
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
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
	// bySites cuts a site off from the others: the one that the leader is in if it is aimed at, and otherwise any.
	bySites = "sites"
)

var (
	partitionShapes = []string{isolate, halves, majoritiesRing, bridge, oneWay, bySites}
	partitionAims   = []string{one, leader, minority, majority}
)

// partition cuts links.
var partition = Family{
	About:  "cut links between nodes",
	Shapes: partitionShapes,
	Aims:   orHolder(partitionAims),
	Weight: 2,
	Deeds: harness.Deeds{"cut": impairLinks("lose all that is sent", harness.LinkCut,
		func(struct{}) (harness.Impairment, error) { return harness.Impairment{Drop: true}, nil },
		func(links []harness.Link) history.Takes { return history.Takes{Cut: links} },
	)},
	New: func(shape, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			possible := partitionShapes
			if len(v.Sites) == 0 {
				possible = without(possible, []string{bySites})
			}
			aim := draw(r, aim, drawn(v, partitionAims))
			if aim == holder {
				possible = []string{isolate, oneWay} // it is on no side
			}
			c := aimPartition(r, v, draw(r, shape, possible), aim)
			if !noticed(v, c.links) {
				return nil
			}
			return &harness.Fault{
				Family: "partition", Shape: c.shape, Aim: c.aim, Nodes: c.nodes,
				Deeds: []harness.Deed{{Kind: "cut", Links: c.links}},
			}
		})
	},
}

// cuts are the links that a partition cuts.
type cuts struct {
	shape, aim string
	nodes      []string // those that are hit: the isolated, the minority, the bridge, the deaf or mute
	links      []harness.Link
}

// noticed reports whether somebody sends on any of the links: what is wrong with the others, nobody would
// ever notice.
func noticed(v harness.View, links []harness.Link) bool {
	return slices.ContainsFunc(links, func(l harness.Link) bool {
		return slices.Contains(slices.Concat(v.Up, v.Companions), l.From) && !slices.Contains(v.Unplugged, l.To)
	})
}

// aimPartition decides which links to cut.
func aimPartition(r *rand.Rand, v harness.View, shape, aim string) cuts {
	f := cuts{shape: shape, aim: aim}
	if aim == leader && len(v.Leaders) == 0 {
		return f
	}
	if nodes := named(aim); len(nodes) > 1 && shape == bridge || nodes != nil && shape == majoritiesRing {
		return f // there is one bridge, and a ring hits all alike
	}
	beside := aim == holder || len(without(named(aim), v.Nodes)) > 0
	if beside && shape != isolate && shape != oneWay {
		return f // a companion is on no side
	}
	switch shape {
	case isolate:
		f.nodes = targets(r, v, aim)
		f.links = around(v, f.nodes)
	case halves:
		f.nodes = smallSide(r, v, aim)
		f.links = between(f.nodes, without(v.Nodes, f.nodes))
	case majoritiesRing:
		f.aim = "" // it hits all alike
		f.links = ringCuts(shuffled(r, v.Nodes))
	case bridge:
		if aim != leader && named(aim) == nil {
			aim = one // there is one bridge
		}
		f.nodes = targets(r, v, aim)
		rest := shuffled(r, without(v.Nodes, f.nodes))
		f.links = between(rest[:len(rest)/2], rest[len(rest)/2:])
	case bySites:
		if len(v.Sites) == 0 || named(aim) != nil {
			return f
		}
		site := v.Sites[r.IntN(len(v.Sites))]
		for _, s := range v.Sites {
			if aim == leader && slices.Contains(s, v.Leaders[0]) {
				site = s
			}
		}
		f.nodes = slices.DeleteFunc(slices.Clone(site), func(n string) bool { return !slices.Contains(v.Nodes, n) })
		if aim != leader {
			f.aim = ""
		}
		f.links = between(f.nodes, without(v.Nodes, f.nodes))
	case oneWay:
		f.nodes = targets(r, v, aim)
		deaf := r.IntN(2) == 0
		for _, l := range between(f.nodes, without(v.Nodes, f.nodes)) {
			if hit := slices.Contains(f.nodes, l.To); hit == deaf {
				f.links = append(f.links, l)
			}
		}
	}
	return f
}

// smallSide returns a minority, or half of an even number: with the leader in it, without it, or as it comes.
func smallSide(r *rand.Rand, v harness.View, aim string) []string {
	if named(aim) != nil {
		return targets(r, v, aim)
	}
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

// CutLinks is a lane that cuts links which somebody has named.
func CutLinks(links ...harness.Link) harness.Lane {
	f := &harness.Fault{Family: "partition", Shape: "links", Deeds: []harness.Deed{{Kind: "cut", Links: links}}}
	return harness.Lane{Name: f.Name(), Deeds: partition.Deeds, Nemesis: aimFunc(
		func(*rand.Rand, harness.View) *harness.Fault { return f },
	)}
}
