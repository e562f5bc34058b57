package nemesis

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

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

// holderShare is how many faults come on one that is aimed at a client which holds something, where any does.
const holderShare = 4

// spice is how many faults come on one that is rare.
const spice = 10

// choose draws a family and an aim.
func (s *swarm) choose(r *rand.Rand, v harness.View) (family, aim string) {
	if len(v.Holders) > 0 && r.IntN(holderShare) == 0 {
		if able := slices.DeleteFunc([]string{"pause", "pause", "partition", "kill"}, func(name string) bool {
			return !s.able(v, name)
		}); len(able) > 0 {
			return able[r.IntN(len(able))], holder
		}
	}
	draw := func() (string, string) {
		family, aim := s.episode.names[r.IntN(len(s.episode.names))], one
		if r.IntN(spice) == 0 && len(s.episode.rare) > 0 {
			family = s.episode.rare[r.IntN(len(s.episode.rare))]
		}
		switch {
		case r.Float64() < s.episode.leaders:
			aim = leader
		case s.episode.single:
		case r.Float64() >= s.episode.one:
			aim = []string{minority, majority, all}[r.IntN(3)]
		}
		roles := s.roles(v)
		switch {
		case s.episode.single:
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
	if name == "delay" { // by a share of the election timeout, the same for all, or for each message another one
		settings := delaySettings{By: harness.Time(s.episode.delay)}
		if r.IntN(2) == 0 {
			settings.Jitter = settings.By
		}
		return oneWayOf(r, v, hitLinks(v, name, "", aim, targets(r, v, spec), "delay", settings))
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
