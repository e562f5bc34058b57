package harness

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// directed is a lane whose director decides when faults begin and end.
type directed struct {
	*run
	Lane
	director Director
	rand     *rand.Rand
	began    time.Time // the load
	until    time.Time // faults go on
	standing []*activeFault
	since    map[int]time.Duration
}

// act makes the director's moves until ctx ends, and heals what is in force then, one after the other. A fault that was
// on its way is held for a moment, unless the whole run ends.
func (d *directed) act(ctx, whole context.Context) (err error) {
	defer func() {
		if n := len(d.standing); n > 0 { // what is in force for less is hardly a fault
			sleep(whole, leastStanding-(time.Since(d.began)-d.since[d.standing[n-1].id]))
		}
		for _, a := range d.standing {
			err = errors.Join(err, d.heal(a))
		}
	}()
	if !sleep(ctx, firstCalm) {
		return nil
	}
	for ctx.Err() == nil {
		seen := d.events.until()
		move := d.director.Next(d.rand, d.view(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if move.Start != nil {
			a := d.inject(ctx, d.Name, d.Deeds, *move.Start)
			d.standing = append(d.standing, a)
			d.since[a.id] = time.Since(d.began)
		}
		for _, id := range move.Heal {
			i := slices.IndexFunc(d.standing, func(a *activeFault) bool { return a.id == id })
			if i < 0 {
				continue
			}
			a := d.standing[i]
			d.standing = slices.Delete(d.standing, i, i+1)
			if err := d.heal(a); err != nil {
				return err
			}
		}
		d.wait(ctx, move, seen)
	}
	return nil
}

// leastStanding is for how long the last fault is in force, at the least.
const leastStanding = 50 * time.Millisecond

// wait waits for as long as a move says, or for one of its events.
func (d *directed) wait(ctx context.Context, m Move, seen happened) {
	waiting, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	if len(m.Until) == 0 {
		<-waiting.Done()
		return
	}
	d.events.awaitAny(waiting, m.Until, seen)
}

// view is what the director sees.
func (d *directed) view(ctx context.Context) View {
	v := d.cluster.View(ctx)
	v.Elapsed, v.Left = time.Since(d.began), time.Until(d.until)
	for _, a := range d.standing {
		v.Standing = append(v.Standing, Standing{ID: a.id, Fault: a.Fault, Since: d.since[a.id]})
	}
	v.Can = slices.Concat(d.Fleet.Can(), d.Target.Can())
	v.Timing = timingOf(d.Target)
	v.Reached = d.waypoints.Reached()
	return v
}

func timingOf(t Target) *history.Timing {
	if timed, ok := t.(Timed); ok {
		timing := timed.Timing()
		return &timing
	}
	return nil
}
