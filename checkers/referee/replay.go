package referee

import "fmt"

// Replay says why an order does not explain n operations, or nil if it does. It explains them if
//
//   - every operation is in it once, or not at all if it is in doubt;
//   - a register that takes the operations one after the other answers each as its client saw it;
//   - each can have taken effect, within its interval, no earlier than the one before it.
func (r *Register[V]) Replay(n int, operation func(i int) Step[V], order []uint32) error {
	placed := make([]bool, n)
	now := state[V]{value: r.Initial}
	var time int64
	for place, i := range order {
		if int(i) >= n || placed[i] {
			return fmt.Errorf("place %d of the order: operation %d is not one of %d, or comes twice", place, i, n)
		}
		placed[i] = true
		step := operation(int(i))
		if place == 0 {
			time = step.Call
		}
		// The earliest moment at which it can take effect after all before it.
		if time = max(time, step.Call); step.Return < time {
			return fmt.Errorf("place %d of the order: operation %d had ended when one before it began", place, i)
		}
		var ok bool
		if now, ok = r.after(now, &step); !ok {
			return fmt.Errorf("place %d of the order: a register would not have answered operation %d so", place, i)
		}
	}
	for i, there := range placed {
		if !there && operation(i).Return != Never {
			return fmt.Errorf("operation %d has no place in the order", i)
		}
	}
	return nil
}
