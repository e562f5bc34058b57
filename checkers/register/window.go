package register

import "math/bits"

// mask is a set of slots. There are several sizes, as the compact search remembers millions of masks.
type mask interface {
	~[1]uint64 | ~[4]uint64 | ~[16]uint64
}

type (
	narrow [1]uint64
	middle [4]uint64
	wide   [16]uint64
)

// maxOpen is how many operations the compact search can tell apart at one moment.
const maxOpen = 16 * 64

func has[M mask](m *M, slot uint16) bool { return (*m)[slot/64]&(1<<(slot%64)) != 0 }
func set[M mask](m *M, slot uint16)      { (*m)[slot/64] |= 1 << (slot % 64) }
func unset[M mask](m *M, slot uint16)    { (*m)[slot/64] &^= 1 << (slot % 64) }

// window is what is open at a return.
type window[M mask] struct {
	plan      *plan
	at        uint32
	slots     [len(wide{}) * 64]int32 // the op at each taken slot
	taken     M
	observers M // those that change nothing
}

// begin moves to the first return.
func (w *window[M]) begin(p *plan) {
	*w = window[M]{plan: p}
	w.open(0)
}

// seek moves to another return.
func (w *window[M]) seek(p uint32) {
	for ; w.at < p; w.at++ {
		w.take(w.plan.returns[w.at])
		w.open(w.at + 1)
	}
	for ; w.at > p; w.at-- {
		for _, op := range w.plan.opening(w.at) {
			w.take(op)
		}
		w.put(w.plan.returns[w.at-1])
	}
}

func (w *window[M]) open(r uint32) {
	for _, op := range w.plan.opening(r) {
		w.put(op)
	}
}

func (w *window[M]) put(op int32) {
	slot := w.plan.slotOf[op]
	w.slots[slot] = op
	set(&w.taken, slot)
	if a := w.plan.ops[op].Action; a == Read || a == Differ {
		set(&w.observers, slot)
	}
}

func (w *window[M]) take(op int32) {
	slot := w.plan.slotOf[op]
	unset(&w.taken, slot)
	unset(&w.observers, slot)
}

// left returns the slots of word n that are in one set and not in another, for nextSlot.
func left[M mask](in, out *M, n int) uint64 { return (*in)[n] &^ (*out)[n] }

// nextSlot returns the first slot of what is left of word n.
func nextSlot(n int, left uint64) uint16 { return uint16(n*64 + bits.TrailingZeros64(left)) }
