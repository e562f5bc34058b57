package workloads

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// tideLength is how long the load stays as it was drawn, and tides after how many it begins again.
const (
	tideLength = 5 * time.Second
	tides      = 64
)

// tide is the load of a while.
type tide struct {
	harness.Load
	// Idle spells: every so long, for a share of the time, hardly anybody calls.
	every time.Duration
	idle  float64
}

// Tides returns a load that is drawn anew every five seconds: from a trickle to as much as goes, by few clients or all
// of them, spread or all at one node, with idle spells now and then. Bugs hide from any one load.
func Tides(seed uint64, clients int) harness.Tide {
	r := rand.New(rand.NewPCG(seed, 0x71de))
	var drawn [tides]tide
	for i := range drawn {
		t := tide{Load: harness.Load{Clients: int(math.Round(between(r, max(1, float64(clients)/3), float64(clients))))}}
		switch n := r.IntN(10); {
		case n < 5: // as much as goes
		case n < 6:
			t.Rate = between(r, 20, 100)
		default:
			t.Rate = between(r, 300, 5000)
		}
		if i == 0 && t.Rate > 0 { // what was served before the first fault is what everything else is compared with
			t.Rate = max(t.Rate, 500)
		}
		if i > 0 { // what nodes serve before the first fault is seen of all of them
			t.Crowd, t.Node = []harness.Crowd{
				harness.Spread, harness.Spread, harness.Spread, harness.Spread, harness.Spread, harness.Spread,
				harness.AtLeader, harness.AtOne,
			}[r.IntN(8)], r.IntN(60)
		}
		if i > 0 && r.IntN(5) == 0 {
			t.every, t.idle = time.Duration(between(r, 0.5, 4)*float64(time.Second)), 0.1+0.3*r.Float64()
		}
		t.Clients = min(t.Clients, clients)
		drawn[i] = t
	}
	return func(elapsed time.Duration) harness.Load {
		t := &drawn[int(elapsed/tideLength)%tides]
		if t.every > 0 && elapsed%t.every > time.Duration((1-t.idle)*float64(t.every)) {
			return harness.Load{Rate: 2, Clients: 1, Crowd: t.Crowd, Node: t.Node}
		}
		return t.Load
	}
}

// between draws from low to high, as likely to be below as above their geometric mean.
func between(r *rand.Rand, low, high float64) float64 { return low * math.Pow(high/low, r.Float64()) }
