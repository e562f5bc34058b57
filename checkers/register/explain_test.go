package register

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// What would have been legal is what trying all orders says, of every value, and the order of the others is one.
func TestExplanationsAgreeWithBruteForce(t *testing.T) {
	var some, ordered atomic.Int64
	forAll(t, *small/5, func(seed uint64) error {
		ctx, ops := context.Background(), tiny(rand.New(rand.NewPCG(seed, 9)))
		d := Decide(ctx, ops, Auto, Limits{})
		if d.Result != porcupine.Illegal {
			return nil
		}
		p := Prove(ctx, ops, d, Limits{})
		order := p.Order(ctx)
		if err := explains(p, order); err != nil {
			return fmt.Errorf("the order %v of\n%s: %w", order, textOf(p.Ops), err)
		}
		if order != nil {
			ordered.Add(1)
		}
		legal, all := p.Alternatives(ctx, ops, d, Limits{})
		if !all {
			return nil
		}
		known := judged(ops, d)
		at := slices.IndexFunc(known, func(o Op) bool { return o.ID == p.Last })
		last := known[at]
		known = upTo(known, last.Return)
		at = slices.IndexFunc(known, func(o Op) bool { return o.ID == p.Last })
		for v := range values(ops) + 1 {
			if last.Action == Differ && Value(v) == last.Old {
				continue // it says that it did not find that
			}
			known[at] = finding(last, Value(v))
			if want := bruteForce(known, held{}); want != slices.Contains(legal, Value(v)) {
				return fmt.Errorf("value %d instead of that of operation %d: legal %t, but the alternatives are %v of\n%s", v, p.Last, want, legal, textOf(ops))
			}
		}
		if len(legal) > 0 {
			some.Add(1)
		}
		return nil
	})
	require.Greater(t, some.Load(), int64(*small/20))
	require.Greater(t, ordered.Load(), int64(*small/250))
}

// explains says what is wrong with an order of all but the last of a proof.
func explains(p Proof, order []uint32) error {
	if order == nil {
		return nil
	}
	byID := make(map[uint32]Op)
	for _, o := range p.Ops {
		byID[o.ID] = o
		if !o.inDoubt() && o.ID != p.Last && !slices.Contains(order, o.ID) {
			return fmt.Errorf("%d is missing", o.ID)
		}
	}
	var now held
	for i, id := range order {
		o := byID[id]
		for _, later := range order[i+1:] {
			if byID[later].Return < o.Call {
				return fmt.Errorf("%d ended before %d began", later, id)
			}
		}
		var ok bool
		if now, ok = now.step(&o); !ok || id == p.Last {
			return fmt.Errorf("%d cannot come there", id)
		}
	}
	return nil
}

// A long history names few values, and says that there are more.
func TestAlternativesAreFew(t *testing.T) {
	var ops []Op
	for v := range uint32(20) {
		ops = append(ops, Op{Action: Write, Value: Value(v + 1), Call: 0, Return: Never, ID: v})
	}
	ops = append(ops, Op{Action: Read, Value: 99, Call: 5, Return: 6, ID: 50})
	d := Decide(t.Context(), ops, Auto, Limits{})
	p := Prove(t.Context(), ops, d, Limits{})
	legal, all := p.Alternatives(t.Context(), ops, d, Limits{})
	require.Equal(t, []Value{0, 1, 2, 3, 4, 5, 6, 7}, legal)
	require.False(t, all)
}

// Without time nothing is said.
func TestExplanationsWithoutTime(t *testing.T) {
	ops := stale(load{ops: 300, clients: 3}.run(rand.New(rand.NewPCG(3, 3))))
	d := Decide(t.Context(), ops, Auto, Limits{})
	p := Prove(t.Context(), ops, d, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Nil(t, p.Order(ctx))
	legal, all := p.Alternatives(ctx, ops, d, Limits{})
	require.Empty(t, legal)
	require.False(t, all)
}
