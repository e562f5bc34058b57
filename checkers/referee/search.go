package referee

import (
	"context"

	"github.com/anishathalye/porcupine"
)

// Search asks porcupine whether any order explains the steps. It is Unknown if ctx ended before that was found out.
//
// An operation in doubt may take effect or not. Porcupine wants a place for each: a write that did not take effect
// is as good as one after everything else, and a compare-and-set does nothing where it finds another value.
func (r *Register[V]) Search(ctx context.Context, steps []Step[V]) porcupine.CheckResult {
	calls := make([]porcupine.Operation, len(steps))
	for i := range steps {
		calls[i] = porcupine.Operation{ClientId: i, Input: &steps[i], Call: steps[i].Call, Return: steps[i].Return}
	}
	model := porcupine.Model{
		Init: func() any { return state[V]{value: r.Initial} },
		Step: func(now, input, _ any) (bool, any) {
			before, step := now.(state[V]), input.(*Step[V])
			if ctx.Err() != nil {
				return false, before // it looks as if no order were left, which does not count; see below
			}
			after, ok := r.after(before, step)
			if !ok && step.Action == Swap && step.Return == Never {
				return true, before
			}
			return ok, after
		},
		Equal: func(a, b any) bool {
			x, y := a.(state[V]), b.(state[V])
			return x.version == y.version && x.told == y.told && r.Same(x.value, y.value)
		},
	}
	result := porcupine.CheckOperationsTimeout(model, calls, 0)
	if ctx.Err() != nil {
		return porcupine.Unknown
	}
	return result
}
