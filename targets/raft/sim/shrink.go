package sim

import (
	"cmp"
	"context"

	"github.com/sunder-dev/sunder/checkers/ddmin"
)

// Shrink returns options under which a seed breaks the property that it breaks under o, with as little as possible:
// fewer nodes, a network that loses nothing, and only those faults and calls of which none can be left out. That is
// exact: what it returns is a run that does. It returns nil if nothing is broken under o.
func Shrink(ctx context.Context, seed uint64, o Options) (Options, *Violation) {
	first := Run(seed, o)
	if first == nil {
		return o, nil
	}
	breaks := func(o Options) bool {
		v := Run(seed, o)
		return v != nil && v.Property == first.Property
	}
	o.Nodes = cmp.Or(o.Nodes, defaultNodes)
	smaller := o
	smaller.Steps = simulate(seed, o).now // a run that takes longer with fewer nodes is no smaller one
	for smaller.Nodes = 1; smaller.Nodes < o.Nodes; smaller.Nodes++ {
		if breaks(smaller) {
			o = smaller
			break
		}
	}
	smaller = o
	if smaller.Reliable = true; breaks(smaller) {
		o = smaller
	}
	// What is left out changes no other fate, so that the numbers stay what they are.
	w := simulate(seed, o)
	o.Steps = max(w.now, 1)
	without := func(keep []int) Options {
		few := o
		few.Without = make(map[int]bool)
		for i := range w.meant {
			few.Without[i+1] = true
		}
		for _, i := range keep {
			delete(few.Without, i+1)
		}
		return few
	}
	o = without(ddmin.Minimize(ctx, w.meant, func(keep []int) bool { return breaks(without(keep)) }))
	o.Trace = true
	return o, Run(seed, o)
}
