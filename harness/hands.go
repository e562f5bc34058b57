package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Hands are a lane of faults that somebody asks for while the run is under way: at a prompt, by a page. They are
// injected, recorded, and healed at the end like all others.
type Hands struct {
	mu     sync.Mutex
	run    *run // nil before the load, and after it
	ctx    context.Context
	rand   *rand.Rand
	began  time.Time
	held   []*byHand
	acting sync.WaitGroup
	broken chan error // has room for one: a heal that failed
	ready  chan struct{}
}

// byHand is a fault in force, or on its way.
type byHand struct {
	Standing
	active *activeFault
}

// NewHands returns hands for one run.
func NewHands() *Hands { return &Hands{broken: make(chan error, 1), ready: make(chan struct{})} }

// Ready returns a channel that is closed once the cluster serves, and something can be done.
func (h *Hands) Ready() <-chan struct{} { return h.ready }

// ErrIdleHands says that nothing can be done: the cluster does not serve yet, or the load is over.
var ErrIdleHands = errors.New("nothing can be done now: the cluster does not serve yet, or is going down")

// Asked is what came of a fault that was asked for.
type Asked struct {
	Standing
	// Unseen is why it was not seen to act, if it was not. It is in force all the same, as far as it is.
	Unseen error
}

// begin returns the run, which will not end before done is called.
func (h *Hands) begin() (r *run, ctx context.Context, done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == nil {
		return nil, nil, nil, ErrIdleHands
	}
	h.acting.Add(1)
	return h.run, h.ctx, h.acting.Done, nil
}

// Inject picks a fault by a lane's nemesis, now, and returns once it is in force. If hold is not 0, it is healed after
// so long.
func (h *Hands) Inject(l Lane, hold time.Duration) (Asked, error) {
	r, ctx, done, err := h.begin()
	if err != nil {
		return Asked{}, err
	}
	defer done()
	defer r.crashed("what was asked for by hand")
	if err := errors.Join(
		Fit(l.Name, l.Needs(), "this cluster", CanOn(r.Fleet.Can(), r.Target)),
		Fit(l.Name, l.Aiming, "this cluster", r.Target.Can()),
	); err != nil {
		return Asked{}, err
	}
	fault := h.aim(l.Nemesis, r.cluster.View(ctx))
	if fault == nil {
		return Asked{}, errors.New("no node fits that aim at this moment")
	}
	f := &byHand{Standing: Standing{ID: r.faults.nextID(), Fault: *fault, Changing: true}}
	h.mu.Lock()
	h.held = append(h.held, f)
	h.mu.Unlock()
	active := r.inject(ctx, f.ID, l.Name, l.Deeds, *fault)
	h.mu.Lock()
	f.active, f.Changing, f.Since = active, false, time.Since(h.began)
	asked := Asked{Standing: f.Standing}
	h.mu.Unlock()
	if !active.acts {
		asked.Unseen = active.unseen
	}
	if hold > 0 {
		h.acting.Go(func() {
			defer r.crashed("a fault by hand")
			if sleep(ctx, hold) {
				_, _ = h.Heal(f.ID) // somebody may have healed it before; a failure ends the run
			}
		})
	}
	return asked, nil
}

func (h *Hands) aim(n Nemesis, v View) *Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return n.Next(h.rand, v)
}

// Heal heals faults by their ids, or all if none is named, and returns those that it healed. One that cannot be healed
// ends the run.
func (h *Hands) Heal(ids ...int) (healed []Standing, err error) {
	r, ctx, done, err := h.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	defer r.crashed("what was healed by hand")
	h.mu.Lock()
	var over []*byHand
	for _, f := range h.held {
		if (len(ids) == 0 || slices.Contains(ids, f.ID)) && !f.Changing {
			f.Changing = true
			over = append(over, f)
		}
	}
	h.mu.Unlock()
	for _, id := range ids {
		if !slices.ContainsFunc(over, func(f *byHand) bool { return f.ID == id }) {
			err = errors.Join(err, fmt.Errorf("there is no fault %d in force", id))
		}
	}
	for _, f := range over {
		h.stand(ctx, f)
		if failed := r.heal(f.active); failed != nil {
			h.fail(failed)
			return healed, failed
		}
		healed = append(healed, f.Standing)
		h.mu.Lock()
		h.held = slices.DeleteFunc(h.held, func(other *byHand) bool { return other == f })
		h.mu.Unlock()
	}
	return healed, err
}

// stand waits until a fault has been in force for a moment: what is in force for less is hardly a fault.
func (h *Hands) stand(ctx context.Context, f *byHand) {
	sleep(ctx, f.Since+leastStanding-time.Since(h.began))
}

// fail lets the run end.
func (h *Hands) fail(err error) {
	select {
	case h.broken <- err:
	default: // it ends already
	}
}

// View returns what a director would see.
func (h *Hands) View() (View, error) {
	r, ctx, done, err := h.begin()
	if err != nil {
		return View{}, err
	}
	defer done()
	v := r.cluster.View(ctx)
	v.Can, v.Elapsed = CanOn(r.Fleet.Can(), r.Target), time.Since(h.began)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.held {
		v.Standing = append(v.Standing, f.Standing)
	}
	return v, nil
}

// Addr returns where a port of a node is reached.
func (h *Hands) Addr(node, port string) (string, error) {
	r, _, done, err := h.begin()
	if err != nil {
		return "", err
	}
	defer done()
	return r.cluster.Node(node).Addr(port), nil
}

// End ends the load: all is healed, and the run comes to its end.
func (h *Hands) End() error {
	r, _, done, err := h.begin()
	if err != nil {
		return err
	}
	defer done()
	r.endLoad()
	return nil
}

// act lets hands act until ctx ends, and heals what is in force then.
func (h *Hands) act(ctx context.Context, r *run) (err error) {
	h.mu.Lock()
	h.run, h.ctx, h.began = r, ctx, time.Now()
	h.rand = rand.New(rand.NewPCG(r.Seed, streamHands))
	h.mu.Unlock()
	close(h.ready)
	select {
	case <-ctx.Done():
	case err = <-h.broken:
	}
	h.mu.Lock()
	h.run = nil
	h.mu.Unlock()
	h.acting.Wait()
	for _, f := range h.held {
		err = errors.Join(err, r.heal(f.active))
	}
	return err
}
