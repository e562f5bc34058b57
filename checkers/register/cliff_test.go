package register

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// What looks hard to a search and is not: many that are open at once, of few kinds.
func TestCliffs(t *testing.T) {
	for name, c := range map[string]struct {
		ops  []Op
		want porcupine.CheckResult
	}{
		"64 writes of 3 values at once, then 1 1 2": {openWrites(64, 3, 1, 1, 2), porcupine.Illegal},
		"64 writes of 3 values at once, then 1 1":   {openWrites(64, 3, 1, 1), porcupine.Ok},
		"120 writes of 3 values at once":            {openWrites(120, 3, 2, 2, 1), porcupine.Illegal},
		"500 writes of 2 values at once":            {openWrites(500, 2, 1, 2), porcupine.Illegal},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(t.Context(), c.ops, Auto, Limits{Memory: 1 << 30})
			require.Equal(t, c.want, d.Result, d.Why)
			require.Equal(t, Compact, d.Engine)
			if c.want == porcupine.Ok {
				require.NoError(t, replay(c.ops, d.Order))
			}
		})
	}
}

// openWrites are writes of few values that are all open at once, and reads after them.
func openWrites(n, values int, reads ...Value) (ops []Op) {
	for i := range n {
		ops = append(ops, Op{Action: Write, Call: int64(i), Return: int64(2 * n), Value: Value(i%values + 1), ID: uint32(i)})
	}
	for i, v := range reads {
		at := int64(2*n + 10 + 10*i)
		ops = append(ops, Op{Action: Read, Call: at, Return: at + 5, Value: v, ID: uint32(n + i)})
	}
	return ops
}

// sequentialBesideDoubts is one client after the other's compare-and-sets, all of which ended in doubt.
func sequentialBesideDoubts(r *rand.Rand, doubts, calls, values int, legal bool) (ops []Op) {
	id := uint32(0)
	add := func(o Op) { o.ID = id; id++; ops = append(ops, o) }
	v := func() Value { return Value(1 + r.IntN(values)) }
	add(at(0, 1, write(1)))
	state, at0 := Value(1), int64(100)
	pool := map[[2]Value]int{}
	for range doubts {
		old, next := v(), v()
		pool[[2]Value{old, next}]++
		add(at(2+int64(id), Never, swap(old, next)))
	}
	for range calls - 1 {
		if legal {
			for edge, n := range sortedPool(pool) {
				if n > 0 && edge[0] == state && r.IntN(3) == 0 {
					state = edge[1]
					pool[edge]--
					break
				}
			}
		} else {
			state = v()
		}
		add(at(at0, at0+5, read(state)))
		at0 += 10
	}
	return ops
}

func sortedPool(pool map[[2]Value]int) func(func([2]Value, int) bool) {
	return func(yield func([2]Value, int) bool) {
		for a := range Value(50) {
			for b := range Value(50) {
				if n, ok := pool[[2]Value{a, b}]; ok && !yield([2]Value{a, b}, n) {
					return
				}
			}
		}
	}
}

func TestDoubtsBesideOneClient(t *testing.T) {
	for _, values := range []int{3, 4, 5, 6, 8, 10, 15, 30} {
		for seed := range uint64(6) {
			for _, legal := range []bool{true, false} {
				ops := sequentialBesideDoubts(rand.New(rand.NewPCG(seed, 8)), 30, 12, values, legal)
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				start := time.Now()
				d := Decide(ctx, ops, Auto, Limits{Memory: 2 << 30})
				stop()
				if took := time.Since(start); took > 200*time.Millisecond || d.Result == porcupine.Unknown {
					fmt.Println(values, seed, legal, d.Result, d.Why, d.Engine, took)
				}
			}
		}
	}
}
