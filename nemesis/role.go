package nemesis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// Roles that a swarm which watches aims at, beside the leader.
const (
	formerLeader = "former-leader"
	laggard      = "laggard"     // the node that has applied least
	successor    = "successor"   // the node that is furthest, beside the leader
	candidate    = "candidate"   // a node that stands for election
	victim       = "victim"      // a node that another fault hits
	bystanders   = "bystanders"  // all nodes up that no fault hits, but the leader
	followersOf  = "not-leaders" // all nodes but the leader
)

// roles returns the roles that some node has now.
func (s *swarm) roles(v harness.View) (roles []string) {
	for _, role := range []string{formerLeader, laggard, successor, candidate, victim, bystanders, followersOf} {
		if len(s.inRole(v, role)) > 0 {
			roles = append(roles, role)
		}
	}
	return roles
}

// inRole returns the nodes in a role, in order.
func (s *swarm) inRole(v harness.View, role string) (nodes []string) {
	leads := func(n string) bool { return len(v.Leaders) > 0 && v.Leaders[0] == n }
	hit := make(map[string]bool)
	for _, f := range v.Standing {
		if f.Fault.Aim != everyLink {
			for _, n := range f.Fault.Nodes {
				hit[n] = true
			}
		}
	}
	switch role {
	case formerLeader:
		if slices.Contains(v.Nodes, s.former) {
			return []string{s.former}
		}
	case laggard, successor:
		var names []string
		for n := range v.Statuses {
			if !leads(n) {
				names = append(names, n)
			}
		}
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(v.Statuses[a].Applied, v.Statuses[b].Applied), cmp.Compare(a, b))
		})
		switch {
		case len(names) < 2:
		case role == laggard:
			return names[:1]
		default:
			return names[len(names)-1:]
		}
	case candidate:
		for _, n := range v.Nodes {
			if strings.Contains(v.Statuses[n].Role, "candidate") {
				return []string{n}
			}
		}
	case victim:
		for _, n := range v.Nodes {
			if hit[n] {
				nodes = append(nodes, n)
			}
		}
		return nodes[:min(1, len(nodes))]
	case bystanders, followersOf:
		for _, n := range v.Nodes {
			if !leads(n) && (role == followersOf || !hit[n]) {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == len(v.Nodes) {
			return nil // nobody leads
		}
	}
	return nodes
}
