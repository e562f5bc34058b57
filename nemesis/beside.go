package nemesis

import (
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// quorumLost is how often a fault may begin that leaves no quorum.
const quorumLost = 0.15

// quorate reports whether clients reach a quorum if a fault comes to those in force.
func (s *swarm) quorate(v harness.View, f *harness.Fault) bool {
	taken := s.takes(f)
	for _, other := range v.Standing {
		taken = taken.And(s.takes(&other.Fault))
	}
	return taken.Served(v.Nodes)
}

// takes returns what a fault takes from the cluster.
func (s *swarm) takes(f *harness.Fault) (all history.Takes) {
	deeds := s.families.Deeds()
	for _, d := range f.Deeds {
		if t, err := deeds[d.Kind].Takes(d); err == nil {
			all = all.And(t)
		}
	}
	return all
}

// asksOnly reports whether a fault is nothing but operations: they are over when it is in force.
func (s *swarm) asksOnly(f *harness.Fault) bool {
	deeds := s.families.Deeds()
	return !slices.ContainsFunc(f.Deeds, func(d harness.Deed) bool { return !deeds[d.Kind].Operation })
}

// pointless reports whether a fault would hit only what others have hit already in the same way.
func (s *swarm) pointless(v harness.View, f *harness.Fault) bool {
	return slices.ContainsFunc(v.Standing, func(other harness.Standing) bool {
		return other.Fault.Aim != everyLink && other.Fault.Family == f.Family && slices.Equal(other.Fault.Nodes, f.Nodes)
	})
}

// inTheWay reports whether a fault would meet another one half-way: a process that is being killed, or started, can
// hardly be paused, what is slow cannot be measured while it becomes slower, and of a node whose network goes nothing
// can be seen on its links.
func inTheWay(v harness.View, f *harness.Fault) bool {
	return slices.ContainsFunc(v.Standing, func(other harness.Standing) bool {
		if !other.Changing {
			return false
		}
		for _, a := range f.Deeds {
			for _, b := range other.Fault.Deeds {
				same := slices.ContainsFunc(a.Nodes, func(n string) bool { return slices.Contains(b.Nodes, n) })
				if same || a.Kind == "delay" && b.Kind == "delay" || unplugs(a, b) || unplugs(b, a) {
					return true
				}
			}
		}
		return false
	})
}

// unplugs reports whether one deed takes the network of a node whose links another one is about.
func unplugs(a, b harness.Deed) bool {
	return a.Kind == "unplug" && slices.ContainsFunc(b.Links, func(l harness.Link) bool {
		return slices.Contains(a.Nodes, l.From) || slices.Contains(a.Nodes, l.To)
	})
}

// noticeable reports whether what a fault does to links can be seen: on those that are cut already, nothing more can be
// lost, or late, and the delay of those that are narrow, or come and go, cannot be measured. Nor must it hide
// what another fault does to links before that is seen.
func noticeable(v harness.View, f *harness.Fault) bool {
	cut, unsteady := make(map[harness.Link]bool), make(map[harness.Link]bool)
	note := func(f harness.Fault) {
		for _, d := range f.Deeds {
			for _, l := range d.Links {
				cut[l] = cut[l] || d.Kind == "cut"
				unsteady[l] = unsteady[l] || d.Kind == "narrow" || d.Kind == "flap"
			}
			if d.Kind == "unplug" {
				for _, l := range around(v, d.Nodes) {
					cut[l] = true
				}
			}
		}
	}
	seen := func(d harness.Deed) bool {
		open := slices.DeleteFunc(slices.Clone(d.Links), func(l harness.Link) bool { return cut[l] })
		if d.Kind == "delay" && slices.ContainsFunc(open, func(l harness.Link) bool { return unsteady[l] }) {
			return false
		}
		return len(d.Links) == 0 || noticed(v, open)
	}
	for _, other := range v.Standing {
		note(other.Fault)
	}
	if slices.ContainsFunc(f.Deeds, func(d harness.Deed) bool { return !seen(d) }) {
		return false
	}
	note(*f)
	return !slices.ContainsFunc(v.Standing, func(other harness.Standing) bool {
		return other.Changing && slices.ContainsFunc(other.Fault.Deeds, func(d harness.Deed) bool {
			return d.Kind != "cut" && !seen(d)
		})
	})
}
