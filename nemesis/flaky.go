package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// flaky cuts the links to and from nodes for short spells, again and again, as a loose cable does (Jepsen's flaky, and
// what engineers know as flapping).
var flaky = Family{
	About: "cut links for short spells, again and again",
	Aims:  orHolder(aims),
	Rare:  true,
	Deeds: harness.Deeds{"flap": {
		About: "cut links for short spells, again and again",
		Needs: []harness.Capability{harness.LinkCut},
		Takes: func(d harness.Deed) (history.Takes, error) {
			if _, err := flapOf(d); err != nil {
				return history.Takes{}, err
			}
			if len(d.Links) == 0 || len(d.Nodes) > 0 {
				return history.Takes{}, errors.New("it is done to links, and to at least one")
			}
			return history.Takes{Lossy: d.Links}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			f, err := flapOf(d)
			if err != nil {
				return err
			}
			return in.Flap(ctx, f, d.Links...)
		},
	}},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, drawn(v, aims))
			return hitLinks(v, "flaky", "", aim, targets(r, v, aim), "flap", flapSettings{
				Cut: harness.Time(40 * time.Millisecond), Open: harness.Time(120 * time.Millisecond), Seed: r.Uint64() >> 11,
			})
		})
	},
}

type flapSettings struct {
	Cut  harness.Time `json:"cut"`  // for how long links are cut, on average
	Open harness.Time `json:"open"` // ... and are not
	Seed uint64       `json:"seed"` // of the times; JSON's numbers have 53 bits
}

// longestSpell is how long links are cut, or not, on average: a fault is seen to act within two seconds.
const longestSpell = 400 * time.Millisecond

// flapOf reads how links come and go.
func flapOf(d harness.Deed) (harness.Flap, error) {
	s, err := harness.Settings[flapSettings](d)
	for _, t := range []harness.Time{s.Cut, s.Open} {
		if err == nil && (t <= 0 || time.Duration(t) > longestSpell) {
			err = fmt.Errorf(
				"cut for %v, open for %v: above 0s, to %v",
				time.Duration(s.Cut),
				time.Duration(s.Open),
				longestSpell,
			)
		}
	}
	return harness.Flap{Cut: time.Duration(s.Cut), Open: time.Duration(s.Open), Seed: s.Seed}, err
}
