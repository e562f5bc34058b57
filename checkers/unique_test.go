package checkers

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// tiny makes up a few operations on one register, with ties, doubts, and observations of all kinds; most
// of them make no sense.
func tiny(r *rand.Rand) []op {
	ops := make([]op, 1+r.IntN(7))
	for i := range ops {
		call := time.Duration(r.IntN(12))
		o := op{call: call, ret: call + time.Duration(r.IntN(7)), value: strconv.Itoa(i + 1)}
		seen := absent
		if n := r.IntN(len(ops) + 2); n > 0 {
			seen = strconv.Itoa(n)
		}
		switch r.IntN(8) {
		case 0, 1:
			o.action = writes
		case 2:
			o.action, o.ret = writes, history.Never
		case 3, 4:
			o.action, o.old = swaps, seen
		case 5:
			o.action, o.old, o.ret = swaps, seen, history.Never
		default:
			o.action, o.value = reads, seen
		}
		ops[i] = o
	}
	return ops
}

// simulated lets clients work on a register that is right, and then perhaps spoils what one of them saw.
func simulated(r *rand.Rand, n, clients int, doubt, spoil float64) []op {
	type pending struct {
		op
		at time.Duration // when it takes effect
	}
	free := make([]time.Duration, clients)
	all := make([]pending, n)
	for i := range all {
		c := r.IntN(clients)
		call := free[c] + time.Duration(r.IntN(20))
		took := time.Duration(2 + r.IntN(200))
		p := pending{op{call: call, ret: call + took, value: strconv.Itoa(i + 1)}, call + time.Duration(r.Int64N(int64(took)+1))}
		free[c] = p.ret + 1
		switch k := r.IntN(4); {
		case k < 2:
			p.action = reads
		case k == 2:
			p.action = writes
		default:
			p.action = swaps
		}
		if p.action != reads && r.Float64() < doubt {
			p.ret = history.Never
			if r.IntN(2) == 0 {
				p.at = history.Never // it never takes effect
			} else if r.IntN(5) == 0 {
				p.at += time.Duration(r.IntN(2000))
			}
		}
		all[i] = p
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	// Take effect in the order of their moments.
	for i := 1; i < n; i++ {
		for j := i; j > 0 && all[order[j]].at < all[order[j-1]].at; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	state := absent
	for _, i := range order {
		p := &all[i]
		if p.at == history.Never {
			p.old = state
			continue
		}
		switch p.action {
		case reads:
			p.value = state
		case swaps:
			p.old = state
			state = p.value
		default:
			state = p.value
		}
	}
	ops := make([]op, n)
	for i, p := range all {
		ops[i] = p.op
		if ops[i].action == reads && r.Float64() < spoil {
			ops[i].value = strconv.Itoa(1 + r.IntN(n))
		}
	}
	return ops
}

// textOf writes operations down, for when two engines differ.
func textOf(ops []op) (s string) {
	for _, o := range ops {
		s += fmt.Sprintf("%s [%d, %d]\n", o.describe(), o.call, o.ret)
	}
	return s
}

// The verdict is that of trying all orders.
func TestUniqueAgreesWithBruteForce(t *testing.T) {
	seen := map[Verdict]int{}
	for seed := range uint64(60_000) {
		ops := tiny(rand.New(rand.NewPCG(seed, 1)))
		got, ok := unique(ops)
		require.True(t, ok)
		want := Invalid
		if bruteForce(ops, absent) {
			want = Valid
		}
		if got != want {
			t.Fatalf("seed %d: %v, and by brute force %v:\n%s", seed, got, want, textOf(ops))
		}
		seen[got]++
	}
	require.Greater(t, seen[Valid], 2000)
	require.Greater(t, seen[Invalid], 2000)
}

// The verdict is porcupine's, on longer histories too.
func TestUniqueAgreesWithPorcupine(t *testing.T) {
	s, stop := newSearch(t.Context(), Budget{Time: time.Hour, Memory: 8 << 30})
	defer stop()
	seen := map[Verdict]int{}
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 2))
		ops := simulated(r, 20+r.IntN(80), 2+r.IntN(4), 0.05*r.Float64(), 0.05*float64(r.IntN(2)))
		got, ok := unique(ops)
		require.True(t, ok)
		if want := s.searched(ops); got != want {
			t.Fatalf("seed %d: %v, and by porcupine %v:\n%s", seed, got, want, textOf(ops))
		}
		seen[got]++
	}
	require.Greater(t, seen[Valid], 300)
	require.Greater(t, seen[Invalid], 300)
}

func TestUniqueKnowsItsLimits(t *testing.T) {
	write := func(value string) op { return op{action: writes, value: value, ret: 1} }
	for name, ops := range map[string][]op{
		"a value twice":    {write("1"), write("1")},
		"the first value":  {write(absent)},
		"a difference":     {{action: differ, old: "1", ret: 1}},
		"a twice, by swap": {write("1"), {action: swaps, old: "1", value: "1", ret: 1}},
	} {
		_, ok := unique(ops)
		require.False(t, ok, name)
	}
	// Splitting a compare-and-set into a read and a write would find this legal.
	at := func(o op, call, ret time.Duration) op { o.call, o.ret = call, ret; return o }
	v, ok := unique([]op{
		at(write("1"), 0, 1), at(op{action: swaps, old: "1", value: "2"}, 2, 9), at(write("3"), 3, 4),
		at(op{action: reads, value: "3"}, 5, 6), at(op{action: reads, value: "2"}, 7, 8),
	})
	require.True(t, ok)
	require.Equal(t, Invalid, v)
}

// What no search could decide: many clients, a violation, and calls in doubt.
func TestUniqueDecidesWhatNoSearchCan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	ops := simulated(r, 20_000, 50, 0.01, 0)
	v, _ := unique(ops)
	require.Equal(t, Valid, v)
	for i := range ops {
		if ops[i].action == reads && i > 19_000 {
			ops[i].value = "1" // long gone
			break
		}
	}
	v, _ = unique(ops)
	require.Equal(t, Invalid, v)
}

func BenchmarkUnique(b *testing.B) {
	for _, clients := range []int{5, 50} {
		ops := simulated(rand.New(rand.NewPCG(1, 3)), 20_000, clients, 0.01, 0)
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, _ := unique(ops); v != Valid {
					b.Fatal(v)
				}
			}
			b.ReportMetric(float64(len(ops)*b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}
