package nemesis

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
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
	pending []*harness.Fault      // the rest of a partition that comes link by link
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

// pick draws a fault, or takes the next part of one.
func (s *swarm) pick(r *rand.Rand, v harness.View) *harness.Fault {
	if len(s.pending) > 0 {
		next := s.pending[0]
		if s.pending = s.pending[1:]; noticeable(v, next) {
			return next
		}
		return nil
	}
	if len(s.episode.names) == 0 {
		return nil
	}
	for range 5 { // the view may allow one and not another
		name, aim := s.choose(r, v)
		fault := s.make(r, v, name, aim)
		if fault == nil || s.pointless(v, fault) || inTheWay(v, fault) || !noticeable(v, fault) {
			continue
		}
		if !s.lose && !s.quorate(v, fault) {
			continue // without a quorum nothing is served, and little is found
		}
		if s.learn(v, name+"@"+aim); r.Float64() < s.episode.pieces {
			fault = s.split(r, v, fault)
		}
		return fault
	}
	return nil
}

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

// spice is how many faults come on one that is rare.
const spice = 10

// choose draws a family and an aim.
func (s *swarm) choose(r *rand.Rand, v harness.View) (family, aim string) {
	draw := func() (string, string) {
		family, aim := s.episode.names[r.IntN(len(s.episode.names))], one
		if r.IntN(spice) == 0 && len(s.episode.rare) > 0 {
			family = s.episode.rare[r.IntN(len(s.episode.rare))]
		}
		switch {
		case r.Float64() < s.episode.leaders:
			aim = leader
		case r.Float64() >= s.episode.one:
			aim = []string{minority, majority, all}[r.IntN(3)]
		}
		roles := s.roles(v)
		switch {
		case s.lose && r.IntN(2) == 0:
			aim = []string{majority, all}[r.IntN(2)]
		case slices.Contains(roles, victim) && r.Float64() < s.episode.chain:
			aim = victim
		case s.watch && len(roles) > 0 && r.IntN(3) == 0:
			aim = roles[r.IntN(len(roles))]
		}
		return family, aim
	}
	family, aim = draw()
	if !s.watch || !s.learns || r.IntN(2) == 0 {
		return family, aim
	}
	// The best of a few: one that was never tried is worth as much as one that led to something new.
	best := math.Inf(-1)
	for range 4 {
		f, a := draw()
		value, tried := s.values[f+"@"+a]
		if !tried {
			value = 1
		}
		if value > best {
			best, family, aim = value, f, a
		}
	}
	return family, aim
}

// make makes a fault of a family that hits whom it is aimed at; nil if it cannot.
func (s *swarm) make(r *rand.Rand, v harness.View, name, aim string) *harness.Fault {
	family := s.families[name]
	spec := aim
	if nodes := s.inRole(v, aim); len(nodes) > 0 && !slices.Equal(family.Aims, []string{leader}) {
		spec = strings.Join(nodes, nodeSeparator)
	} else if len(family.Aims) > 0 && !slices.Contains(family.Aims, aim) {
		spec = one
	}
	if name == "delay" { // by a share of the election timeout
		fault := hitLinks(v, name, "", aim, targets(r, v, spec), "delay", delaySettings{By: harness.Time(s.episode.delay)})
		return oneWayOf(r, v, fault)
	}
	fault := family.New("", spec).Next(r, v)
	if fault != nil && named(spec) != nil {
		fault.Aim = aim
	}
	return fault
}

// oneWayOf leaves out the links one way, or the other, of half of the faults that make some slow.
func oneWayOf(r *rand.Rand, v harness.View, f *harness.Fault) *harness.Fault {
	which := r.IntN(4)
	if f == nil || which > 1 {
		return f
	}
	d := &f.Deeds[0]
	links := slices.DeleteFunc(slices.Clone(d.Links), func(l harness.Link) bool {
		return slices.Contains(f.Nodes, l.To) != (which == 0) && slices.Contains(f.Nodes, l.From) == (which == 0)
	})
	if noticed(v, links) {
		d.Links = links
	}
	return f
}

// pointless reports whether a fault would hit only what others have hit already in the same way.
func (s *swarm) pointless(v harness.View, f *harness.Fault) bool {
	return slices.ContainsFunc(v.Standing, func(other harness.Standing) bool {
		return other.Fault.Aim != everyLink && other.Fault.Family == f.Family && slices.Equal(other.Fault.Nodes, f.Nodes)
	})
}

// inTheWay reports whether a fault would meet another one half-way: a process that is being killed, or started, can
// hardly be paused, and what is slow cannot be measured while it becomes slower.
func inTheWay(v harness.View, f *harness.Fault) bool {
	return slices.ContainsFunc(v.Standing, func(other harness.Standing) bool {
		if !other.Changing {
			return false
		}
		for _, a := range f.Deeds {
			for _, b := range other.Fault.Deeds {
				same := slices.ContainsFunc(a.Nodes, func(n string) bool { return slices.Contains(b.Nodes, n) })
				if same || a.Kind == "delay" && b.Kind == "delay" {
					return true
				}
			}
		}
		return false
	})
}

// noticeable reports whether what a fault does to links can be seen: on those that are cut already, nothing more can be
// lost, or late. Nor must it hide what another fault does to links before that is seen.
func noticeable(v harness.View, f *harness.Fault) bool {
	cut := make(map[harness.Link]bool)
	note := func(f harness.Fault) {
		for _, d := range f.Deeds {
			for _, l := range d.Links {
				cut[l] = cut[l] || d.Kind == "cut"
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

// split makes a partition come in two parts, one after the other, each of which is healed for itself
// (swizzle-clogging: FoundationDB, Zhou and others, SIGMOD 2021).
func (s *swarm) split(r *rand.Rand, v harness.View, f *harness.Fault) *harness.Fault {
	if len(f.Deeds) != 1 || f.Deeds[0].Kind != "cut" || len(f.Deeds[0].Links) < 2 {
		return f
	}
	links := slices.Clone(f.Deeds[0].Links)
	r.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
	half := 1 + r.IntN(len(links)-1)
	part := func(links []history.Link) *harness.Fault {
		p := *f
		p.Deeds = []harness.Deed{{Kind: f.Deeds[0].Kind, Links: links, With: f.Deeds[0].With}}
		return &p
	}
	first, second := part(links[:half]), part(links[half:])
	if !noticeable(v, first) || !noticeable(v, second) {
		return f
	}
	s.pending = append(s.pending, second)
	return first
}

// pause decides when to look again: when something ends or may begin, or, if it watches, on an event.
func (s *swarm) pause(r *rand.Rand, v harness.View, m harness.Move) harness.Move {
	unit := electionOf(v)
	until := min(s.episode.until, v.Elapsed+2*time.Second)
	standing := 0
	for _, f := range v.Standing {
		switch end, ok := s.ends[f.ID]; {
		case f.Fault.Aim == everyLink || slices.Contains(m.Heal, f.ID):
		case f.Changing: // the run asks again when it is in force
			standing++
		case ok:
			until = min(until, end)
			standing++
		}
	}
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
		m.Wait = max(m.Wait, 2*unit)
	}
	return m
}

// shortest is how soon a swarm looks again.
const shortest = 5 * time.Millisecond

// everyLink is the aim of what makes all links slow for an episode.
const everyLink = "every-link"

// slowAll makes all links slow.
func slowAll(v harness.View, by time.Duration) *harness.Fault {
	var links []harness.Link
	for _, a := range v.Nodes {
		for _, b := range v.Nodes {
			if a != b {
				links = append(links, harness.Link{From: a, To: b})
			}
		}
	}
	if len(links) == 0 || by <= 0 {
		return nil
	}
	with, err := json.Marshal(delaySettings{By: harness.Time(by.Round(time.Microsecond))})
	if err != nil {
		return nil // a time
	}
	return &harness.Fault{
		Family: "delay", Aim: everyLink, Nodes: v.Nodes, Deeds: []harness.Deed{{Kind: "delay", Links: links, With: with}},
	}
}

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
