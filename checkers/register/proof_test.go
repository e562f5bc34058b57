package register

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// No step of a proof makes a legal history illegal.
func TestProofsProve(t *testing.T) {
	m := minimizer{ctx: t.Context()}
	forAll(t, *small/10, func(seed uint64) error {
		r := rand.New(rand.NewPCG(seed, 4))
		l := load{ops: 5 + r.IntN(30), clients: 1 + r.IntN(5), values: r.IntN(5), doubt: 0.3 * r.Float64(), deletes: 0.1,
			versions: r.Float64(), differ: float64(r.IntN(2)) * r.Float64()}
		whole := l.run(r)
		if m.illegal(whole) {
			return fmt.Errorf("what was simulated is illegal:\n%s", textOf(whole))
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
					case r.IntN(3) == 0:
					case o.Action == Swap && r.IntN(3) == 0:
						rest = append(rest, asWrite(o))
					case o.Action == Swap && !o.inDoubt() && r.IntN(3) == 0:
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
