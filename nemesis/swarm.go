package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Specs of lanes that decide for themselves.
const (
	// swarmSpec draws how it acts anew every few seconds: which families take part, how many faults at a time, how
	// long they last, how slow all links are (swarm testing: Groce and others, ISSTA 2012). Times are multiples of the
	// election timeout. It sees no more of the cluster than who leads.
	swarmSpec = "swarm"
	// watchSpec is swarmSpec that looks: it strikes on events, aims at roles, and prefers what led to new situations.
	watchSpec = "watch"
	// watchUniform is watchSpec without preference, to be compared with.
	watchUniform = "watch:uniform"
)

// swarm is a director. What it has drawn is its own; a run has one.
type swarm struct {
	families      Families
	watch, learns bool

	episode episode
	ends    map[int]time.Duration // of standing faults, by id
	turns   map[int]string        // of those that are healed when another leader than this one is elected
	next    time.Duration         // when the next fault may begin
	pending []*harness.Fault      // the rest of a partition that comes in two parts
	known   map[int]bool          // ids that were seen in force

	last       string             // who led last
	former     string             // who led before
	values     map[string]float64 // of actions: how many situations were new after each, on average of late
	chosen     string             // the action that was taken last
	reachedYet int                // situations, by then
	lose       bool               // the next fault may leave no quorum
}

func (all Families) newSwarm(watch, learns bool) func() harness.Director {
	return func() harness.Director {
		return &swarm{
			families: all, watch: watch, learns: learns, ends: map[int]time.Duration{}, turns: map[int]string{},
			known: map[int]bool{}, values: map[string]float64{},
		}
	}
}

// Next implements [harness.Director].
func (s *swarm) Next(r *rand.Rand, v harness.View) (m harness.Move) {
	s.look(r, v)
	s.take(v, r)
	leaving, standing := 0, 0
	for _, f := range v.Standing {
		switch over := !f.Changing && s.ends[f.ID] <= v.Elapsed; {
		case f.Fault.Aim == everyLink:
			if over {
				m.Heal = append(m.Heal, f.ID)
			}
		case over:
			m.Heal = append(m.Heal, f.ID)
			leaving++
		default:
			standing++
		}
	}
	if v.Elapsed >= s.episode.until {
		s.episode = s.drawEpisode(r, v)
		s.pending = nil
		if slow := slowAll(v, s.episode.slow); slow != nil && noticeable(v, slow) && !inTheWay(v, slow) {
			m.Start = slow
			return s.pause(r, v, m)
		}
	}
	room := standing < s.episode.most && (v.Elapsed >= s.next || len(s.pending) > 0)
	swap := leaving > 0 && standing+leaving <= s.episode.most && (len(s.pending) > 0 || r.Float64() < s.episode.swap)
	tried := room || swap
	if tried {
		m.Start = s.pick(r, v) // before the old ones are healed
	}
	switch {
	case m.Start != nil:
		s.next, s.lose = v.Elapsed+exponential(r, s.episode.rest), r.Float64() < quorumLost
	case tried: // the view may be another one a little later
		s.next = v.Elapsed + electionOf(v)/4
	}
	return s.pause(r, v, m)
}

// look sees who leads, and lets faults end that were to last until somebody else does.
func (s *swarm) look(r *rand.Rand, v harness.View) {
	if len(v.Leaders) == 0 || v.Leaders[0] == s.last {
		return
	}
	s.former, s.last = s.last, v.Leaders[0]
	for _, f := range v.Standing {
		if led, waits := s.turns[f.ID]; waits && led != s.last {
			delete(s.turns, f.ID)
			s.ends[f.ID] = min(s.ends[f.ID], v.Elapsed+time.Duration(r.Float64()*float64(electionOf(v))/2))
		}
	}
}

// learn notes what the last action led to, and which comes next.
func (s *swarm) learn(v harness.View, action string) {
	if s.chosen != "" {
		gained := float64(len(v.Reached) - s.reachedYet)
		s.values[s.chosen] += 0.3 * (gained - s.values[s.chosen])
	}
	s.chosen, s.reachedYet = action, len(v.Reached)
}

// take takes note of faults that have begun since.
func (s *swarm) take(v harness.View, r *rand.Rand) {
	for _, f := range v.Standing {
		if f.Changing || s.known[f.ID] {
			continue
		}
		s.known[f.ID] = true
		if f.Fault.Aim == everyLink {
			s.ends[f.ID] = s.episode.until
			continue
		}
		hold := max(exponential(r, s.episode.holds[f.Fault.Family]), leastHold)
		switch {
		case f.Fault.Aim == holder: // for less than it keeps what it holds, or longer
			hold = max(time.Duration(logUniform(r, 0.3, 2.5)*float64(v.Lease)), leastHold)
		case s.asksOnly(&f.Fault):
			hold = leastHold
		case r.Float64() < s.episode.brief:
			hold = leastHold
		case r.Float64() < s.episode.turn && s.last != "":
			s.turns[f.ID] = s.last
			hold = max(hold, 4*electionOf(v)) // unless a leader is elected before that
		}
		if !s.quorate(v, &f.Fault) {
			hold = min(hold, 4*electionOf(v))
		}
		s.ends[f.ID] = f.Since + hold
	}
}

// pause decides when to look again: when something ends or may begin, or, if it watches, on an event.
func (s *swarm) pause(r *rand.Rand, v harness.View, m harness.Move) harness.Move {
	unit := electionOf(v)
	until := min(s.episode.until, v.Elapsed+2*time.Second)
	end, standing := until, 0 // of the first fault to end
	for _, f := range v.Standing {
		switch over, ok := s.ends[f.ID]; {
		case f.Fault.Aim == everyLink || slices.Contains(m.Heal, f.ID):
		case f.Changing: // the run asks again when it is in force, or gone
			standing++
		case ok:
			end = min(end, over)
			standing++
		}
	}
	until = min(until, end)
	if m.Start != nil && m.Start.Aim != everyLink {
		standing++
	}
	if standing < s.episode.most {
		until = min(until, max(s.next, v.Elapsed+shortest))
	}
	m.Wait = max(until-v.Elapsed, shortest)
	turning := slices.ContainsFunc(v.Standing, func(f harness.Standing) bool { return s.turns[f.ID] != "" })
	if s.watch && (turning || r.IntN(2) == 0) {
		// Not at the next time that comes, but when something happens, and a little later.
		after := time.Duration(r.Float64() * float64(unit))
		if r.IntN(2) == 0 {
			after = 0
		}
		m.Until = []harness.Trigger{
			{Event: harness.LeaderElected, After: after}, {Event: harness.RoleChanged, After: after},
		}
		m.Wait = max(min(2*unit, end-v.Elapsed), m.Wait)
	}
	return m
}

// shortest is how soon a swarm looks again.
const shortest = 5 * time.Millisecond

// Directors are the specs of lanes that decide for themselves, and what each does.
func Directors() map[string]string {
	return map[string]string{
		swarmSpec:    "draws anew every few seconds which faults there are, how many at a time, how long, and at whom",
		watchSpec:    "does so, looks, and prefers what leads to new situations; strikes on events, and aims at roles",
		watchUniform: "does so, looks, and prefers nothing",
	}
}

// director returns how a lane that decides for itself is made; nil if the spec is of another lane.
func (all Families) director(spec string) (func() harness.Director, error) {
	switch spec {
	case swarmSpec:
		return all.newSwarm(false, false), nil
	case watchSpec:
		return all.newSwarm(true, true), nil
	case watchUniform:
		return all.newSwarm(true, false), nil
	}
	if name, shape, _ := strings.Cut(spec, ":"); name == watchSpec || name == swarmSpec {
		return nil, fmt.Errorf("%s has no shape %q", name, shape)
	}
	return nil, nil
}
