package harness

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Flap says how links come and go: for how long they lose everything, and for how long they do not, on average. The times
// are drawn from the seed.
type Flap struct {
	Cut, Open time.Duration
	Seed      uint64
}

// Flap cuts links for short spells, all at once, again and again until the fault is healed. It returns once every link
// was seen to lose something, except those that have nobody to send on them.
func (in *Injection) Flap(ctx context.Context, f Flap, links ...Link) error {
	shaper, ok := in.cluster.fleet.(Shaper)
	if !ok {
		return Fit("this", []Capability{LinkCut}, "the fleet", in.cluster.fleet.Can())
	}
	before, err := shaper.Traffic(ctx, links)
	if err != nil {
		return err
	}
	flapping, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends when it is healed, whatever becomes of ctx
	var wait sync.WaitGroup
	var failed error
	in.OnHeal(func(context.Context) error {
		stop()
		wait.Wait()
		return failed
	})
	wait.Go(func() { failed = in.cluster.flap(flapping, f, links) })
	_, err = in.see(ctx, shaper, lost, links, before)
	return err
}

// flap lets links come and go until ctx ends, and leaves them as they were.
func (c *Cluster) flap(ctx context.Context, f Flap, links []Link) error {
	r := rand.New(rand.NewPCG(f.Seed, 0))
	spell := func(mean time.Duration) bool {
		return sleep(ctx, time.Duration(min(r.ExpFloat64(), 4)*float64(mean))+time.Millisecond)
	}
	acting := context.WithoutCancel(ctx)
	for goesOn := true; goesOn; {
		if err := c.impair(acting, Impairment{Drop: true}, links); err != nil {
			return err
		}
		goesOn = spell(f.Cut)
		if err := c.mend(acting, Impairment{Drop: true}, links); err != nil {
			return err
		}
		goesOn = goesOn && spell(f.Open)
	}
	return nil
}
