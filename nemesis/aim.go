package nemesis

import (
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
)

// Whom a fault hits.
const (
	one      = "one"      // a node at random
	leader   = "leader"   // the leader of the highest term; nobody while none is known
	minority = "minority" // the largest number that leaves a quorum
	majority = "majority" // the smallest number that leaves none
	all      = "all"
)

var aims = []string{one, leader, minority, majority, all}

// draw returns aim, or one of the possible ones if it is empty.
func draw(r *rand.Rand, aim string, possible []string) string {
	if aim != "" {
		return aim
	}
	return possible[r.IntN(len(possible))]
}

// targets returns the nodes that an aim hits, in the cluster's order; none if there is no leader to
// aim at.
func targets(r *rand.Rand, v harness.View, aim string) []string {
	n := len(v.Nodes)
	count := 1
	switch aim {
	case leader:
		return v.Leaders[:min(1, len(v.Leaders))]
	case minority:
		count = max(1, (n-1)/2)
	case majority:
		count = n/2 + 1
	case all:
		count = n
	}
	hit := shuffled(r, v.Nodes)[:count]
	slices.SortFunc(hit, func(a, b string) int { return slices.Index(v.Nodes, a) - slices.Index(v.Nodes, b) })
	return hit
}

func shuffled(r *rand.Rand, names []string) []string {
	s := slices.Clone(names)
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}

// without returns the nodes that are not among those named.
func without(nodes, names []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(names, n) })
}
