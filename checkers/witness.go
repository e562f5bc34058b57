package checkers

import (
	"context"
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/sunder-dev/sunder/checkers/referee"
	"github.com/sunder-dev/sunder/checkers/register"
	"github.com/sunder-dev/sunder/harness/history"
)

// What the engines say is judged by what clients recorded, read here once more, in the plainest way: what an
// operation means, and when two values are the same, is not taken over from registers.

// witness judges what engines say of a history's keys.
type witness struct {
	h        *history.History
	register referee.Register[history.Value]
	definite []int // by key: how many operations are known to have happened, or to have seen something
}

func newWitness(h *history.History, initial history.Value) *witness {
	w := &witness{
		h:        h,
		register: referee.Register[history.Value]{Initial: initial, Same: sameValue},
		definite: make([]int, h.KeyIDs()),
	}
	for c := range h.Calls() {
		if isDefinite(c) {
			w.definite[c.KeyID()]++
		}
	}
	return w
}

func isDefinite(c history.Call) bool {
	return c.Kind() == history.OK || c.Kind() == history.Fail && c.F() == "cas" && c.Err() == history.Mismatch
}

func sameValue(a, b history.Value) bool {
	x, numeral := a.Numeral()
	if y, other := b.Numeral(); numeral && other {
		return x == y
	}
	return referee.SameJSON(a.Text(), b.Text())
}

// step is one call as its client recorded it.
func (w *witness) step(c history.Call) referee.Step[history.Value] {
	s := referee.Step[history.Value]{Call: int64(c.Begin()), Return: int64(c.End()), New: c.Asked()}
	if s.Return == int64(history.Never) {
		s.Return = referee.Never
	}
	if c.Kind() == history.OK {
		s.Version = c.Stamp().Version
	}
	switch c.F() {
	case "read":
		s.Action, s.Old = referee.Read, c.Answer()
	case "write":
		s.Action = referee.Write
	case "delete":
		s.Action, s.New = referee.Write, history.Value{}
	case "cas":
		s.Action = referee.Swap
		s.Old, s.New, _ = c.Asked().Pair()
		if c.Kind() == history.Fail {
			s.Action = referee.Differ
			if found := c.Answer(); !found.Empty() && !sameValue(found, s.Old) {
				s.Action, s.Old, s.Version = referee.Read, found, c.Stamp().Version
			}
		}
	}
	return s
}

// replays says why an order does not explain what was recorded of a key, or nil if it does.
func (w *witness) replays(k *keyed, order []uint32) error {
	// All of them are looked at in one go, which brings their records into the cache: they lie apart.
	definite, last := 0, -1
	for i := range k.ops {
		o := &k.ops[i]
		if int(o.ID) <= last {
			return fmt.Errorf("operation %d of the key comes twice", o.ID)
		}
		last = int(o.ID)
		if isDefinite(w.h.Call(last)) {
			definite++
		}
	}
	if recorded := w.definite[w.h.Call(last).KeyID()]; definite != recorded {
		return fmt.Errorf("%d operations were recorded, and %d were looked at", recorded, definite)
	}
	return w.register.Replay(
		len(k.ops),
		func(i int) referee.Step[history.Value] { return w.step(w.h.Call(int(k.ops[i].ID))) },
		order,
	)
}

// maxConfirmed bounds the operations of a proof that porcupine is asked about. Proofs are a dozen operations long.
const maxConfirmed = 400

// judge asks porcupine about the operations of a proof, as they were recorded: they are to have no order.
func (w *witness) judge(ctx context.Context, p register.Proof) porcupine.CheckResult {
	if len(p.Ops) > maxConfirmed {
		return porcupine.Unknown
	}
	steps := make([]referee.Step[history.Value], len(p.Ops))
	for i, o := range p.Ops {
		s := w.step(w.h.Call(int(o.ID)))
		// A proof may say less than what was recorded, and never something else.
		if s.Action == referee.Swap && o.Action == register.Write {
			s.Action = referee.Write
		}
		if s.Action == referee.Swap && o.Action == register.Read {
			s.Action = referee.Read
		}
		if o.Return == register.Never {
			s.Return = referee.Never
		}
		if o.Version == 0 {
			s.Version = 0
		}
		steps[i] = s
	}
	return w.register.Search(ctx, steps)
}
