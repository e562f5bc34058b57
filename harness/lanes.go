package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Streams of randomness: each part of a run draws from its own, so that one part's draws do not
// change another's.
const (
	streamLanes    = 1 << 32
	streamWorkers  = 2 << 32
	streamSchedule = 3 << 32
	streamHands    = 4 << 32
)

// firstCalm is how long the cluster is left alone before the first fault of a lane without
// rests. Lanes with rests begin with one.
const firstCalm = time.Second

// longestHold is for how long, at least, a lane without rest keeps a fault while there is nothing to
// aim the next one at.
const longestHold = 2 * time.Second

// aimAgain is how long a lane waits when there is nothing to aim at.
const aimAgain = 50 * time.Millisecond

// injectTimeout bounds the bringing about of one fault.
const injectTimeout = 10 * time.Second

// lanes lets every lane of the nemesis act until shortly before the time limit, or the end of loading. When it returns,
// every fault is healed, or the error says which could not be.
func (r *run) lanes(loading, whole context.Context) error {
	ctx, cancel := context.WithTimeout(loading, r.TimeLimit-r.calm())
	defer cancel()
	faults := 0
	if r.Schedule != nil {
		faults = len(r.Schedule.Faults)
	}
	errs := make([]error, len(r.Lanes)+faults)
	var wait sync.WaitGroup
	for i, l := range r.Lanes {
		wait.Go(func() {
			defer r.crashed("the nemesis")
			source := rand.New(rand.NewPCG(r.Seed, streamLanes+uint64(i)))
			act := (&lane{run: r, Lane: l, rand: source}).act
			if l.Direct != nil {
				now := time.Now()
				act = (&directed{
					run: r, Lane: l, director: l.Direct(), rand: source, began: now, until: now.Add(r.TimeLimit - r.calm()),
					changed: make(chan struct{}, 1),
				}).act
			}
			if errs[i] = act(ctx, whole); errs[i] != nil {
				cancel() // never go on measuring a cluster in an unknown state
			}
		})
	}
	if r.Schedule != nil {
		for i, f := range r.Schedule.Faults {
			wait.Go(func() {
				defer r.crashed("the schedule")
				at := planned{run: r, Scheduled: f, rand: rand.New(rand.NewPCG(r.Seed, streamSchedule+uint64(i)))}
				if errs[len(r.Lanes)+i] = at.act(ctx, whole); errs[len(r.Lanes)+i] != nil {
					cancel()
				}
			})
		}
	}
	var byHand error
	if r.Hands != nil {
		wait.Go(func() {
			defer r.crashed("the hands")
			if byHand = r.Hands.act(ctx, r); byHand != nil {
				cancel()
			}
		})
	}
	<-ctx.Done()
	wait.Wait()
	return errors.Join(append(errs, byHand)...)
}

// lane is a lane of the nemesis at work.
type lane struct {
	*run
	Lane
	rand    *rand.Rand
	inForce *activeFault
	since   time.Time // of inForce
	seen    happened  // by the time that the last fault was begun
}

// act rests, picks a fault, holds it, heals it, and begins again until ctx ends. A fault that was on its way then is
// held for the shortest time that any is, unless the whole run ends. Nothing is in force when it returns, or the error
// says what is.
func (l *lane) act(ctx, whole context.Context) (err error) {
	defer func() { err = errors.Join(err, l.healCurrent()) }()
	if l.Rest == 0 && !sleep(ctx, firstCalm) {
		return nil
	}
	for l.Rest == 0 || sleep(ctx, l.spread(l.Rest)) {
		if l.When != nil && !l.events.await(ctx, *l.When, l.seen) {
			return nil
		}
		fault := l.Nemesis.Next(l.rand, l.cluster.View(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if fault == nil {
			if time.Since(l.since) > max(2*l.Hold, longestHold) {
				// Perhaps it is this very fault that leaves nothing to aim at.
				if err := l.healCurrent(); err != nil {
					return err
				}
			}
			if !sleep(ctx, aimAgain) {
				return nil
			}
			continue
		}
		l.seen = l.events.until()
		last := l.inForce // there is one only in a lane without rest
		l.inForce, l.since = l.inject(ctx, l.faults.nextID(), l.Name, l.Deeds, *fault), time.Now()
		if err := l.heal(last); err != nil {
			return err
		}
		if !sleep(ctx, l.spread(l.Hold)) {
			sleep(whole, time.Duration(leastSpread*float64(l.Hold))-time.Since(l.since))
			return nil
		}
		if l.Rest > 0 || l.When != nil { // for how long nothing fires, nobody knows
			if err := l.healCurrent(); err != nil {
				return err
			}
		}
	}
	return nil
}

// leastSpread is the least time that spread draws, as a part of the mean.
const leastSpread = 0.5

// spread draws a time between half and one and a half times the mean.
func (l *lane) spread(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * (leastSpread + l.rand.Float64()))
}

// healCurrent heals what is in force, if anything is.
func (l *lane) healCurrent() error {
	current := l.inForce
	l.inForce = nil
	return l.heal(current)
}

// planned is a fault of a schedule at work.
type planned struct {
	*run
	Scheduled
	rand *rand.Rand
}

// act does the fault at its time, holds it, and heals it. It is in force no more when it returns, or the error says so.
func (p *planned) act(ctx, whole context.Context) error {
	if !sleep(ctx, time.Duration(p.At)) {
		return p.missed("the load ended before its time")
	}
	if p.When != nil && !p.events.await(ctx, *p.When, p.events.until()) {
		return p.missed(fmt.Sprintf("%s never fired", p.When))
	}
	fault := p.Fault
	for fault == nil {
		if fault = p.Pick.Nemesis.Next(p.rand, p.cluster.View(ctx)); fault == nil && !sleep(ctx, aimAgain) {
			return p.missed("there was nobody to aim it at")
		}
	}
	a := p.inject(ctx, p.faults.nextID(), p.Lane, p.Deeds, *fault)
	// A schedule says for how long; that the load is about to end is no reason to heal sooner, but a finding is.
	held, cancel := context.WithCancel(whole)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if p.cutShort() {
			cancel()
		}
	})()
	sleep(held, time.Duration(p.For))
	return p.heal(a)
}

// missed records that a fault of the schedule was not begun, and why: what was planned and did not happen proves
// nothing.
func (p *planned) missed(why string) error {
	id := p.faults.nextID()
	f := p.Fault
	if f == nil {
		f = &Fault{Family: p.Pick.Name}
	}
	detail, _ := json.Marshal(f) // it was read as JSON
	v := history.FaultEvent{ID: id, Lane: p.Lane, Fault: detail, Takes: &history.Takes{}}
	p.faultEvent(history.Invoke, f.Name(), v, nil)
	p.faultEvent(history.Info, f.Name(), history.FaultEvent{ID: id}, fmt.Errorf("it was never begun: %s", why))
	p.faultEvent(history.Invoke, history.FHeal, history.FaultEvent{ID: id}, nil)
	p.faultEvent(history.OK, history.FHeal, history.FaultEvent{ID: id}, nil)
	return nil
}

// activeFault is a fault that is in force, or was tried, and is to be healed.
type activeFault struct {
	id   int
	lane string
	Fault
	acts   bool // it was confirmed; unseen is why it was not
	unseen error
	in     *Injection
}

// inject brings a fault about and records how that went. A fault that could not be confirmed is
// recorded as such, and the verdict will take it into account; it is healed like any other.
func (r *run) inject(ctx context.Context, id int, lane string, deeds Deeds, f Fault) *activeFault {
	a := &activeFault{id: id, lane: lane, Fault: f, in: r.cluster.NewInjection()}
	takes, err := deeds.takes(f, slices.Concat(r.cluster.Nodes(), clientNames(r.cluster.Companions)))
	detail, _ := json.Marshal(f) // it was read, or made up, as JSON
	r.faultEvent(history.Invoke, f.Name(), history.FaultEvent{ID: a.id, Lane: lane, Fault: detail, Takes: &takes}, nil)
	if err == nil {
		r.faults.add(a)
		// Once begun, it is brought to its end: a fault that is half in force proves nothing.
		injecting, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectTimeout)
		err = deeds.do(injecting, a.in, f)
		cancel()
	}
	evidence, evidenceErr := a.in.Evidence()
	err = errors.Join(err, evidenceErr)
	kind := history.OK
	if err != nil {
		kind = history.Info
		inspecting, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectTimeout)
		err = errors.Join(err, r.cluster.Inspect(inspecting))
		cancel()
	}
	r.faultEvent(kind, f.Name(), history.FaultEvent{
		ID: a.id, Evidence: evidence, Nothing: err != nil && a.in.DidNothing(),
	}, err)
	a.unseen = err
	if a.acts = err == nil; a.acts {
		r.events.fault(lane, f, +1)
	}
	return a
}

// heal undoes a fault, if there is one, on a context of its own: it must be done whatever ended the
// run.
func (r *run) heal(a *activeFault) error {
	if a == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), healTimeout)
	defer cancel()
	r.compare.look()       // as it was, ...
	defer r.compare.look() // ... and as it is without the fault
	r.faultEvent(history.Invoke, history.FHeal, history.FaultEvent{ID: a.id}, nil)
	err := a.in.Heal(ctx)
	if err != nil {
		err = fmt.Errorf("heal %s: %w", a.Name(), errors.Join(err, r.cluster.Inspect(ctx)))
		r.faultEvent(history.Info, history.FHeal, history.FaultEvent{ID: a.id}, err)
		return err
	}
	r.faults.remove(a)
	if a.acts {
		r.events.fault(a.lane, a.Fault, -1)
	}
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
		names = append(names, a.Name())
	}
	return names
}
