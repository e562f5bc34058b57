package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Streams of randomness: each part of a run draws from its own, so that one part's draws do not
// change another's.
const (
	streamLanes   = 1 << 32
	streamWorkers = 2 << 32
)

// firstCalm is how long the cluster is left alone before the first fault of a lane without
// rests. Lanes with rests begin with one.
const firstCalm = time.Second

// longestHold is for how long, at least, a lane without rest keeps a fault while there is nothing to
// aim the next one at.
const longestHold = 2 * time.Second

// injectTimeout bounds the bringing about of one fault.
const injectTimeout = 10 * time.Second

// lanes lets every lane of the nemesis act until shortly before the time limit. When it returns,
// every fault is healed, or the error says which could not be.
func (r *run) lanes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.TimeLimit-r.calm())
	defer cancel()
	errs := make([]error, len(r.Lanes))
	var wait sync.WaitGroup
	for i, l := range r.Lanes {
		wait.Go(func() {
			if errs[i] = r.lane(ctx, i, l); errs[i] != nil {
				cancel() // never go on measuring a cluster in an unknown state
			}
		})
	}
	<-ctx.Done()
	wait.Wait()
	return errors.Join(errs...)
}

// lane rests, picks a fault, holds it, heals it, and begins again.
func (r *run) lane(ctx context.Context, i int, l Lane) (err error) {
	rng := rand.New(rand.NewPCG(r.Seed, streamLanes+uint64(i)))
	spread := func(mean time.Duration) time.Duration {
		return time.Duration(float64(mean) * (0.5 + rng.Float64()))
	}
	var inForce *activeFault
	var held time.Time // since when
	defer func() {
		if inForce != nil {
			err = errors.Join(err, r.heal(inForce))
		}
	}()
	if l.Rest == 0 && !sleep(ctx, firstCalm) {
		return nil
	}
	for {
		if l.Rest > 0 && !sleep(ctx, spread(l.Rest)) {
			return nil
		}
		fault := l.Nemesis.Next(rng, r.cluster.View(ctx))
		if fault == nil || ctx.Err() != nil {
			if inForce != nil && time.Since(held) > max(2*l.Hold, longestHold) {
				// Perhaps it is this very fault that leaves nothing to aim at.
				healing := inForce
				inForce = nil
				if err := r.heal(healing); err != nil {
					return err
				}
			}
			if !sleep(ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		next := r.inject(ctx, fault)
		if inForce != nil { // a lane without rest: the old fault goes once the new one is there
			healing := inForce
			inForce = next
			if err := r.heal(healing); err != nil {
				return err
			}
		}
		inForce, held = next, time.Now()
		if !sleep(ctx, spread(l.Hold)) {
			return nil
		}
		if l.Rest > 0 {
			inForce = nil
			if err := r.heal(next); err != nil {
				return err
			}
		}
	}
}

// activeFault is a fault that is in force, or was tried, and is to be healed.
type activeFault struct {
	id   int
	name string
	in   *Injection
}

// inject brings a fault about and records how that went. A fault that could not be confirmed is
// recorded as such, and the verdict will take it into account; it is healed like any other.
func (r *run) inject(ctx context.Context, f Fault) *activeFault {
	a := &activeFault{id: r.faults.nextID(), name: f.Kind(), in: r.cluster.NewInjection()}
	detail, err := json.Marshal(f)
	if err == nil {
		r.faultEvent(history.Invoke, f.Kind(), history.FaultEvent{ID: a.id, Fault: detail}, nil)
		r.faults.add(a)
		// Once begun, it is brought to its end: a fault that is half in force proves nothing.
		injecting, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectTimeout)
		err = f.Inject(injecting, a.in)
		cancel()
	}
	evidence, evidenceErr := a.in.Evidence()
	err = errors.Join(err, evidenceErr)
	kind := history.OK
	if err != nil {
		kind = history.Info
	}
	r.faultEvent(kind, f.Kind(), history.FaultEvent{ID: a.id, Evidence: evidence}, err)
	return a
}

// heal undoes a fault, on a context of its own: it must be done whatever ended the run.
func (r *run) heal(a *activeFault) error {
	ctx, cancel := context.WithTimeout(context.Background(), healTimeout)
	defer cancel()
	r.faultEvent(history.Invoke, history.FHeal, history.FaultEvent{ID: a.id}, nil)
	err := a.in.Heal(ctx)
	if err != nil {
		err = fmt.Errorf("heal %s: %w", a.name, err)
		r.faultEvent(history.Info, history.FHeal, history.FaultEvent{ID: a.id}, err)
		return err
	}
	r.faults.remove(a)
	r.faultEvent(history.OK, history.FHeal, history.FaultEvent{ID: a.id}, nil)
	return nil
}

func (r *run) faultEvent(kind history.Kind, f string, v history.FaultEvent, err error) {
	value, _ := json.Marshal(v) // its parts were marshalled before
	e := history.Event{Process: history.Nemesis, Kind: kind, F: f, Value: value}
	if err != nil {
		e.Err = err.Error()
	}
	r.log.Append(e)
}

// faultBoard numbers faults and knows which are in force.
type faultBoard struct {
	next   atomic.Int64
	mu     sync.Mutex
	active []*activeFault
}

func (b *faultBoard) nextID() int { return int(b.next.Add(1) - 1) }

func (b *faultBoard) add(a *activeFault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active = append(b.active, a)
}

func (b *faultBoard) remove(a *activeFault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.active {
		if other == a {
			b.active = append(b.active[:i:i], b.active[i+1:]...)
			return
		}
	}
}

func (b *faultBoard) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, a := range b.active {
		names = append(names, a.name)
	}
	return names
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
