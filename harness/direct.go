package harness

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
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

	acting  sync.WaitGroup
	changed chan struct{} // has room for one: a fault of the director's has come into force, or is gone
	mu      sync.Mutex
	board   []*directedFault // the oldest first
	failed  error            // of heals
}

// directedFault is a fault of a director's, from the decision on.
type directedFault struct {
	Standing
	active *activeFault // nil before it is in force
}

// act makes the director's moves until ctx ends, and heals what is in force then, one after the other. Faults come into
// force and are healed beside each other, as it takes long to see that some of them act. A fault that was on its way is
// held for a moment, unless the whole run ends.
func (d *directed) act(ctx, whole context.Context) (err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer func() {
		d.acting.Wait()
		err = errors.Join(err, d.failed)
		latest := -leastStanding
		for _, f := range d.board {
			latest = max(latest, f.Since)
		}
		sleep(whole, latest+leastStanding-time.Since(d.began)) // what is in force for less is hardly a fault
		for _, f := range d.board {
			err = errors.Join(err, d.heal(f.active))
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
		d.make(ctx, end, move)
		d.wait(ctx, move, seen)
	}
	return nil
}

// make begins to do what a move says: its fault comes into force, and then those that it is to heal are healed. What is
// being healed already, or is not there, is left alone.
func (d *directed) make(ctx context.Context, end context.CancelFunc, move Move) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var over []*directedFault
	for _, f := range d.board {
		if slices.Contains(move.Heal, f.ID) && !f.Changing {
			f.Changing = true
			over = append(over, f)
		}
	}
	var begun *directedFault
	if move.Start != nil {
		begun = &directedFault{Standing: Standing{ID: d.faults.nextID(), Fault: *move.Start, Changing: true}}
		d.board = append(d.board, begun)
	}
	if begun == nil && len(over) == 0 {
		return
	}
	d.acting.Go(func() {
		defer d.crashed("the nemesis")
		if begun != nil {
			active := d.inject(ctx, begun.ID, d.Name, d.Deeds, begun.Fault)
			d.change(func() { begun.active, begun.Since, begun.Changing = active, time.Since(d.began), false })
		}
		for _, f := range over {
			err := d.heal(f.active)
			d.change(func() {
				d.board = slices.DeleteFunc(d.board, func(other *directedFault) bool { return other == f })
				d.failed = errors.Join(d.failed, err)
			})
			if err != nil {
				end() // never go on measuring a cluster in an unknown state
			}
		}
	})
}

// change changes the board, and lets the director look at it.
func (d *directed) change(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// leastStanding is for how long the last fault is in force, at the least.
const leastStanding = 50 * time.Millisecond

// wait waits for as long as a move says, for one of its events, or until a fault has come into force or is gone.
func (d *directed) wait(ctx context.Context, m Move, seen happened) {
	waiting, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	if len(m.Until) > 0 {
		d.acting.Go(func() { // which ends with the waiting
			d.events.awaitAny(waiting, m.Until, seen)
			cancel()
		})
	}
	select {
	case <-waiting.Done():
	case <-d.changed:
	}
}

// view is what the director sees. Its faults come first: what is on its way to a node by then may have changed it when
// the node is looked at, and a director knows that.
func (d *directed) view(ctx context.Context) View {
	var standing []Standing
	d.mu.Lock()
	for _, f := range d.board {
		standing = append(standing, f.Standing)
	}
	select {
	case <-d.changed: // which is in what was just looked at
	default:
	}
	d.mu.Unlock()
	v := d.cluster.View(ctx)
	v.Standing = standing
	v.Elapsed, v.Left = time.Since(d.began), time.Until(d.until)
	v.Can = CanOn(d.Fleet.Can(), d.Target)
	v.Timing = timingOf(d.Target)
	if h, ok := d.Workload.(Holding); ok {
		v.Lease = h.Lease()
	}
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
