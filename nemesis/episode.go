package nemesis

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// unknownElection is the unit of time where nobody tells the election timeout.
const unknownElection = 500 * time.Millisecond

// episode is how a swarm acts for a while.
type episode struct {
	until   time.Duration
	names   []string                 // of the families that take part, each as often as it weighs
	rare    []string                 // ... now and then
	most    int                      // faults at a time
	holds   map[string]time.Duration // by family: how long a fault lasts, on average
	rest    time.Duration            // after a fault began, on average
	leaders float64                  // the share of faults that are aimed at leaders
	swap    float64                  // ... that begin before the last one is healed
	one     float64                  // ... that hit one node
	single  bool                     // all of them do
	slow    time.Duration            // by how much all links are late; 0 is not at all
	delay   time.Duration            // ... those that a fault makes late
	pieces  float64                  // the share of partitions that come in two parts
	brief   float64                  // the share of faults that are healed at once
	chain   float64                  // ... that are aimed at a node which another fault hits
	turn    float64                  // ... that are healed soon after another leader is elected
}

// logUniform draws from low to high, as likely to be below as above their geometric mean.
func logUniform(r *rand.Rand, low, high float64) float64 {
	return low * math.Pow(high/low, r.Float64())
}

// electionOf is the unit of time: a fault that lasts as long as an election is another one than one that outlasts it.
func electionOf(v harness.View) time.Duration {
	if v.Timing == nil || v.Timing.Election <= 0 {
		return unknownElection
	}
	return v.Timing.Election
}

// drawEpisode draws how the next seconds will be.
func (s *swarm) drawEpisode(r *rand.Rand, v harness.View) episode {
	unit := float64(electionOf(v))
	e := episode{
		until:   v.Elapsed + time.Duration((4+3*r.Float64())*float64(time.Second)),
		most:    []int{1, 1, 1, 2, 2, 2, 2, 3, 3, 3}[r.IntN(10)],
		holds:   make(map[string]time.Duration),
		leaders: []float64{0.4, 0.7, 0.9}[r.IntN(3)],
		swap:    r.Float64(),
		one:     r.Float64(),
		delay:   min(max(time.Duration(unit*logUniform(r, 0.05, 0.8)), leastDelay), mostDelay),
	}
	if r.Float64() < 0.8 {
		e.rest = time.Duration(logUniform(r, min(0.3*unit, shortRest), min(5*unit, max(1.5*unit, longRest))))
	}
	if r.Float64() < 0.5 && s.able(v, "delay") {
		e.slow = max(time.Duration(logUniform(r, min(0.02*unit, shortSlow), min(0.3*unit, longSlow))), leastDelay)
	}
	if r.Float64() < 0.3 {
		e.pieces = 0.5
	}
	if r.IntN(3) == 0 {
		e.brief = 0.2 + 0.6*r.Float64()
	}
	if r.IntN(2) == 0 { // most failures take two or three events, most of them at one node (Yuan and others, OSDI 2014)
		e.chain = 0.2 + 0.6*r.Float64()
	}
	if s.watch {
		e.turn = []float64{0, 0.3, 0.7}[r.IntN(3)]
	}
	able := slices.DeleteFunc(s.families.Names(), func(name string) bool { return !s.able(v, name) })
	for _, name := range able {
		e.holds[name] = time.Duration(logUniform(r, min(0.4*unit, shortHold), min(12*unit, max(3*unit, longHold))))
	}
	common := slices.DeleteFunc(slices.Clone(able), func(name string) bool {
		rare := s.families[name].Rare
		if rare {
			e.rare = append(e.rare, name)
		}
		return rare
	})
	if len(common) > 0 {
		able = common
	}
	for len(e.names) == 0 && len(able) > 0 {
		for _, name := range able {
			if r.IntN(2) == 0 {
				e.names = append(e.names, slices.Repeat([]string{name}, max(1, s.families[name].Weight))...)
			}
		}
	}
	share := 0.1
	if electionOf(v) >= slowElection { // elsewhere a load goes on between faults anyway
		share = 0.4
	}
	if r.Float64() < share {
		e.sparse(r)
	}
	return e
}

// able reports whether there is such a family, and whether what its faults need is there.
func (s *swarm) able(v harness.View, name string) bool {
	f, ok := s.families[name]
	return ok && !f.Unsafe && len(harness.Missing(f.Needs(), v.Can)) == 0
}

// Holds and rests are multiples of the election timeout. Where that is long, most need not be: a crash is over as soon
// as the node has started again, whoever was elected meanwhile.
const (
	shortHold, longHold = float64(60 * time.Millisecond), float64(2 * time.Second)
	shortRest, longRest = float64(50 * time.Millisecond), float64(time.Second)
	shortSlow, longSlow = float64(5 * time.Millisecond), float64(60 * time.Millisecond)
)

// sparse makes an episode one of single faults that hit one node each and are over soon: what breaks under a load that
// goes on, such as a restart amid writes, is found where little else is in the way of the load.
func (e *episode) sparse(r *rand.Rand) {
	e.single, e.most, e.leaders, e.turn, e.chain, e.slow, e.rare = true, 1, 0.3, 0, 0, 0, nil
	e.rest = time.Duration(logUniform(r, float64(100*time.Millisecond), float64(time.Second)))
	for _, name := range slices.Sorted(maps.Keys(e.holds)) {
		e.holds[name] = time.Duration(logUniform(r, float64(50*time.Millisecond), float64(500*time.Millisecond)))
	}
}

// leastDelay is by how much links are late at the least: less is hardly told from the noise of a busy machine.
const leastDelay = 5 * time.Millisecond

// slowElection is an election timeout with which a cluster hardly serves under one fault after the other.
const slowElection = 300 * time.Millisecond

// mostDelay is by how much they are late at the most: a delay is measured within the time that a fault has to be
// brought about, twice if the machine stands still meanwhile.
const mostDelay = time.Second

// leastHold is how long a fault lasts at the least: what is in force for less is none.
const leastHold = 10 * time.Millisecond

func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(r.ExpFloat64(), 4) * float64(mean))
}
