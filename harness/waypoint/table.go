package waypoint

import (
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// all are the situations. To add one is to add it here.
var all = []Waypoint{
	{Name: "a leader killed with writes in flight", met: func(_ *state, m moment) bool {
		return m.kind == struck && m.fault.does("kill") && m.fault.hitsLeader() && m.fault.writes > 0
	}},
	{Name: "a leader paused with writes in flight", met: func(_ *state, m moment) bool {
		return m.kind == struck && m.fault.does("pause") && m.fault.hitsLeader() && m.fault.writes > 0
	}},
	{Name: "a leader cut off from a majority with writes in flight", met: func(s *state, m moment) bool {
		if m.kind != struck || len(m.fault.takes.Cut) == 0 || m.fault.writes == 0 {
			return false
		}
		for leader := range m.fault.led {
			if s.cutOff(leader) && !s.takenBut(m.fault).CutOff(leader, s.nodes) {
				return true
			}
		}
		return false
	}},
	{Name: "one direction of a link to a leader cut", met: func(s *state, m moment) bool {
		if m.kind != struck {
			return false
		}
		cut := s.taken().Cut
		for _, l := range cut {
			if !slices.Contains(cut, history.Link{From: l.To, To: l.From}) && (m.fault.led[l.From] > 0 || m.fault.led[l.To] > 0) {
				return true
			}
		}
		return false
	}},
	{Name: "a slow link to a leader", met: func(_ *state, m moment) bool {
		return m.kind == struck && slices.ContainsFunc(m.fault.takes.Slow, func(l history.Link) bool {
			return m.fault.led[l.From] > 0 || m.fault.led[l.To] > 0
		})
	}},
	{Name: "leadership handed over with writes in flight", met: func(_ *state, m moment) bool {
		return m.kind == struck && m.fault.does("move-leader") && m.fault.writes > 0
	}},
	{Name: "two candidates in one term", Needs: history.ToldCandidate, met: func(s *state, m moment) bool {
		return m.kind == tells && m.what == history.ToldCandidate && len(s.stood[m.term]) == 2
	}},
	{Name: "a term that nobody won", Needs: history.ToldCandidate, met: func(s *state, m moment) bool {
		_, won := s.claimed[m.term-1]
		return m.kind == claims && s.claimed[m.term] == "" && !won && len(s.stood[m.term-1]) > 0
	}},
	{Name: "a voter killed in the term of its vote", Needs: history.ToldVote, met: func(s *state, m moment) bool {
		return m.kind == struck && m.fault.does("kill") && slices.ContainsFunc(m.fault.takes.Down, func(n string) bool {
			return s.votes[n] > 0 && s.votes[n] >= s.top && m.at-m.fault.began < s.election
		})
	}},
	{Name: "a voter restarted before its term had a leader", Needs: history.ToldVote, met: func(s *state, m moment) bool {
		return m.kind == healed && m.fault.does("kill") && slices.ContainsFunc(m.fault.takes.Down, func(n string) bool {
			return s.votes[n] > s.top
		})
	}},
	{Name: "two nodes that believe they lead", met: func(s *state, m moment) bool {
		return m.kind == claims && len(s.leads) > 1
	}},
	{Name: "a client that calls a stale leader", met: func(s *state, m moment) bool {
		return m.kind == called && s.leads[m.node] > 0 && s.leads[m.node] < s.top
	}},
	{Name: "a leader paused for longer than its lease", met: func(s *state, m moment) bool {
		return m.kind == heals && m.fault.does("pause") && m.fault.hitsLeader() && m.at-m.fault.began > s.election
	}},
	{Name: "a leader resumed after another was elected", met: func(s *state, m moment) bool {
		if m.kind != heals || !m.fault.does("pause") {
			return false
		}
		return slices.ContainsFunc(m.fault.takes.Down, func(n string) bool {
			return m.fault.led[n] > 0 && m.fault.led[n] < s.top
		})
	}},
	{Name: "a deposed leader reachable again", met: func(s *state, m moment) bool {
		return m.kind == healed && slices.ContainsFunc(m.fault.apart, func(n string) bool { return !s.cutOff(n) })
	}},
	{Name: "a deposed leader that leads again within a second", met: func(s *state, m moment) bool {
		if m.kind != claims || len(s.terms) < 2 || m.at-s.terms[len(s.terms)-2] > time.Second {
			return false
		}
		return s.claimed[m.term-1] != m.node && s.claimed[m.term-2] == m.node
	}},
	{Name: "three terms within a second", met: func(s *state, m moment) bool {
		return m.kind == claims && s.claimed[m.term] == "" && len(s.terms) >= 2 && m.at-s.terms[len(s.terms)-2] < time.Second
	}},
	{Name: "a follower that needed a snapshot", Needs: history.ToldInstalledSnapshot, met: func(_ *state, m moment) bool {
		return m.kind == tells && m.what == history.ToldInstalledSnapshot
	}},
	{Name: "a snapshot cut short", Needs: history.ToldSendsSnapshot, met: func(s *state, m moment) bool {
		if m.kind != struck {
			return false
		}
		for n, since := range s.sending {
			if m.at-since > 2*s.election {
				continue // it has been through with it for long
			}
			if slices.Contains(m.fault.takes.Down, n) || s.cutOff(n) {
				return true
			}
		}
		return false
	}},
	{Name: "a node restarted while cut off", met: func(s *state, m moment) bool {
		return m.kind == healed && m.fault.does("kill") && slices.ContainsFunc(m.fault.takes.Down, s.cutOff)
	}},
	{Name: "a node paused while cut off", met: func(s *state, m moment) bool {
		return m.kind == struck && (m.fault.does("pause") || len(m.fault.takes.Cut) > 0) && s.anyBoth("pause")
	}},
	{Name: "a majority killed at once", met: func(s *state, m moment) bool {
		return m.kind == struck && m.fault.does("kill") && len(s.nodes) > 0 && len(m.fault.takes.Down) > len(s.nodes)/2
	}},
	{Name: "all nodes killed at once", met: func(s *state, m moment) bool {
		return m.kind == struck && m.fault.does("kill") && len(s.nodes) > 0 && len(m.fault.takes.Down) == len(s.nodes)
	}},
	{Name: "a quorum lost for two election timeouts, and back", met: func(s *state, m moment) bool {
		return m.kind == healed && s.lostAt >= 0 && m.at-s.lostAt > 2*s.election && s.taken().Quorate(s.nodes)
	}},
	{Name: "a fault upon another", met: func(s *state, m moment) bool {
		return m.kind == struck && len(s.acting(m.fault)) > 0
	}},
	{Name: "three faults at once", met: func(s *state, m moment) bool {
		return m.kind == struck && len(s.acting(m.fault)) > 1
	}},
	{Name: "a fault within an election timeout of a heal", met: func(s *state, m moment) bool {
		return m.kind == struck && s.healedAt >= 0 && m.at-s.healedAt < s.election
	}},
	{Name: "a leader lost within two election timeouts of its election", met: func(s *state, m moment) bool {
		return m.kind == struck && m.fault.hitsLeaderOf(s.top) && len(s.terms) > 0 &&
			m.at-s.terms[len(s.terms)-1] < 2*s.election
	}},
	{Name: "calls in doubt while the leader changed", met: func(s *state, m moment) bool {
		return m.kind == inDoubt && len(s.terms) > 1 && m.at-s.terms[len(s.terms)-1] < 2*time.Second
	}},
}

// hitsLeader reports whether a fault holds a node down that led as it struck.
func (f *fault) hitsLeader() bool {
	return slices.ContainsFunc(f.takes.Down, func(n string) bool { return f.led[n] > 0 })
}

// hitsLeaderOf is hitsLeader of the leader of a term.
func (f *fault) hitsLeaderOf(term uint64) bool {
	return slices.ContainsFunc(f.takes.Down, func(n string) bool { return term > 0 && f.led[n] == term })
}

// cutOff reports whether a node cannot talk, both ways, with enough others for a majority.
func (s *state) cutOff(node string) bool { return s.taken().CutOff(node, s.nodes) }

// anyBoth reports whether a node that a deed holds down is cut off as well.
func (s *state) anyBoth(deed string) bool {
	for _, f := range s.acting(nil) {
		if f.does(deed) && slices.ContainsFunc(f.takes.Down, s.cutOff) {
			return true
		}
	}
	return false
}
