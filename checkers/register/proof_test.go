package register

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// No step of a proof makes a legal history illegal.
func TestProofsProve(t *testing.T) {
	m := minimizer{ctx: t.Context()}
	forAll(t, *small, func(seed uint64) error {
		r := rand.New(rand.NewPCG(seed, 4))
		l := load{ops: 5 + r.IntN(30), clients: 1 + r.IntN(5), values: r.IntN(5), doubt: 0.15 * r.Float64(), deletes: 0.1,
			versions: r.Float64(), differ: float64(r.IntN(2)) * r.Float64()}
		whole := l.run(r)
		if m.illegal(whole) {
			return fmt.Errorf("what was simulated is illegal:\n%s", textOf(whole))
		}
		if r.IntN(2) == 0 {
			coarsen(whole)
		}
		part := whole
		for range 1 + r.IntN(4) {
			switch r.IntN(4) {
			case 0:
				part = upTo(part, r.Int64N(20_000))
			case 1:
				var keep []Value
				for v := range values(part) {
					if r.IntN(3) > 0 {
						keep = append(keep, Value(v))
					}
				}
				part = project(withoutDifferences(part), keep)
			case 2:
				var rest []Op
				for _, o := range part {
					switch {
					case r.IntN(8) == 0:
					case o.Action == Swap && r.IntN(5) == 0:
						rest = append(rest, asWrite(o))
					case o.Action == Swap && !o.inDoubt() && r.IntN(5) == 0:
						rest = append(rest, asRead(o))
					default:
						rest = append(rest, o)
					}
				}
				byCall(rest)
				if provable(part, rest) {
					part = rest
				}
			default:
				part = withoutVersions(part)
			}
		}
		if m.illegal(part) {
			return fmt.Errorf("this legal history\n%sbecame\n%s", textOf(whole), textOf(part))
		}
		return nil
	})
}

// What has not returned yet may have any version.
func TestUpTo(t *testing.T) {
	ops := []Op{{Action: Write, Value: 1, Call: 0, Return: 9, Version: 7}, {Action: Read, Value: 1, Call: 1, Return: 5}, {Action: Read, Value: 1, Call: 2, Return: 6}, {Call: 6, Return: 6}}
	require.Equal(t, []Op{{Action: Write, Value: 1, Call: 0, Return: Never}, {Action: Read, Value: 1, Call: 1, Return: 5}}, upTo(ops, 5))
}

// A proof says where a stale value came from, and who replaced it.
func TestProofsAreExplained(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 8 {
		values := 3 * (i % 2)
		ops := load{ops: 3000, clients: 5, doubt: 0.01, values: values}.run(r)
		if values > 0 { // a fourth value that is written once
			ops = append(ops, Op{Action: Write, Value: 9, Call: -5, Return: 3000, ID: 1e6}, Op{Action: Read, Value: 9, Call: 2e6, Return: 2e6, ID: 2e6})
		} else {
			ops = stale(ops)
		}
		d := Decide(t.Context(), ops, Auto, Limits{})
		require.Equal(t, porcupine.Illegal, d.Result)
		p := Prove(t.Context(), ops, d, Limits{})
		require.True(t, confirmed(t.Context(), p))
		require.LessOrEqual(t, len(p.Ops), 4, textOf(p.Ops))
		last := p.Ops[len(p.Ops)-1]
		require.Equal(t, Read, last.Action)
		require.Equal(t, p.Last, last.ID)
		origin := slices.IndexFunc(p.Ops, func(o Op) bool { v, ok := o.installs(); return ok && v == last.Value })
		require.GreaterOrEqual(t, origin, 0, textOf(p.Ops))
		require.True(t, slices.ContainsFunc(p.Ops, func(o Op) bool { v, ok := o.installs(); return ok && v != last.Value }))
	}
}

// Without time there is no proof but the whole, and it says so.
func TestProveWithoutTime(t *testing.T) {
	ops := stale(load{ops: 300, clients: 3}.run(rand.New(rand.NewPCG(3, 3))))
	d := Decide(t.Context(), ops, Auto, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := Prove(ctx, ops, d, Limits{})
	require.Greater(t, len(p.Ops), 100)
}
