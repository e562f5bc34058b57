package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Flap says how links come and go: for how long they lose everything, and for how long they do not, on average. The
// times are drawn from the seed.
type Flap struct {
	Cut, Open time.Duration
	Seed      uint64
}

// Flap cuts links for short spells, all at once, again and again until the fault is healed. It returns once every link
// was seen to lose something, except those that have nobody to send on them.
func (in *Injection) Flap(ctx context.Context, f Flap, links ...Link) error {
	shaper, ok := in.cluster.fleet.(Shaper)
	if !ok {
		return fmt.Errorf("this fleet does not shape links: %w", ErrUnsupported)
	}
	before, err := shaper.Traffic(ctx, links)
	if err != nil {
		return err
	}
	flapping, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends when it is healed, whatever becomes of ctx
	ended := make(chan error, 1)
	in.OnHeal(func(ctx context.Context) error {
		stop()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return fmt.Errorf("links that come and go cannot be mended: %w", ctx.Err())
		}
	})
	go func() { ended <- in.cluster.flap(flapping, f, links) }()
	_, err = in.see(ctx, shaper, lost, links, before)
	return err
}

// flap lets links come and go until ctx ends, and leaves them as they were.
func (c *Cluster) flap(ctx context.Context, f Flap, links []Link) error {
	r := rand.New(rand.NewPCG(f.Seed, 0))
	spell := func(mean time.Duration) bool {
		return sleep(ctx, time.Duration(min(r.ExpFloat64(), 4)*float64(mean))+time.Millisecond)
	}
	acting := func(act func(context.Context, Impairment, []Link) error) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectTimeout)
		defer cancel()
		return act(ctx, Impairment{Drop: true}, links)
	}
	for goesOn := true; goesOn; {
		if err := acting(c.impair); err != nil {
			return errors.Join(err, acting(c.mend))
		}
		goesOn = spell(f.Cut)
		if err := acting(c.mend); err != nil {
			return err
		}
		goesOn = goesOn && spell(f.Open)
	}
	return nil
}
