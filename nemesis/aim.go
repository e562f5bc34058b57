package nemesis

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

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

// nodeSeparator is between the names of nodes that are aimed at: "n1:n3".
const nodeSeparator = ":"

// named returns the nodes that an aim names, or nil if it names none.
func named(aim string) []string {
	nodes := strings.Split(aim, nodeSeparator)
	for _, n := range nodes {
		if number, err := strconv.Atoi(strings.TrimPrefix(n, "n")); err != nil || number < 1 || n[0] != 'n' {
			return nil
		}
	}
	return nodes
}

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
	if nodes := named(aim); nodes != nil {
		if len(without(nodes, v.Nodes)) > 0 {
			return nil // some of them are not there
		}
		return slices.DeleteFunc(slices.Clone(v.Nodes), func(n string) bool { return !slices.Contains(nodes, n) })
	}
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
