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
	holder   = "holder" // a companion that holds something, such as a lock; nobody while none does
)

var aims = []string{one, leader, minority, majority, all}

// orHolder returns aims that can be chosen, the holder among them.
func orHolder(aims []string) []string { return append(slices.Clone(aims), holder) }

// drawn returns aims that are drawn from: the holder is one where there can be any.
func drawn(v harness.View, aims []string) []string {
	if len(v.Companions) == 0 {
		return aims
	}
	return orHolder(aims)
}

// companion is how the names of companions begin that are clients.
const companion = 'c'

// nodeSeparator is between the names of nodes that are aimed at: "n1:n3".
const nodeSeparator = ":"

// named returns the nodes that an aim names, or nil if it names none.
func named(aim string) []string {
	nodes := strings.Split(aim, nodeSeparator)
	for _, n := range nodes {
		if n == "" || n[0] != 'n' && n[0] != companion {
			return nil
		}
		if number, err := strconv.Atoi(n[1:]); err != nil || number < 1 {
			return nil
		}
	}
	return nodes
}

// namesCompanion reports whether an aim names a companion of the cluster.
func namesCompanion(aim string) bool {
	return slices.ContainsFunc(named(aim), func(n string) bool { return n[0] == companion })
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
		there := slices.Concat(v.Nodes, v.Companions)
		if len(without(nodes, there)) > 0 {
			return nil // some of them are not there
		}
		return slices.DeleteFunc(there, func(n string) bool { return !slices.Contains(nodes, n) })
	}
	n := len(v.Nodes)
	count := 1
	switch aim {
	case holder:
		return shuffled(r, v.Holders)[:min(1, len(v.Holders))]
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
