package sim

import "context"

// Search simulates the seeds from 1 to a number, and returns the first violation, as small as [Shrink] makes it; nil if
// there is none, or ctx ends before.
func Search(ctx context.Context, seeds uint64, o Options) *Violation {
	for seed := uint64(1); seed <= seeds && ctx.Err() == nil; seed++ {
		if Run(seed, o) != nil {
			_, v := Shrink(ctx, seed, o)
			return v
		}
	}
	return nil
}
