package register

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers/referee"
)

var (
	small  = flag.Int("agree.small", 50_000, "small histories to compare engines on")
	medium = flag.Int("agree.medium", 1500, "medium histories to compare engines on")
	first  = flag.Uint64("agree.seed", 0, "seed of the first history")
)

// bruteForce tries all orders.
func bruteForce(ops []Op, now held) bool {
	if len(ops) == 0 {
		return true
	}
	for i, o := range ops {
		// An operation may come first if none of the others ended before it began.
		if slices.ContainsFunc(ops, func(other Op) bool { return other.Return < o.Call }) {
			continue
		}
		rest := slices.Concat(ops[:i], ops[i+1:])
		if o.inDoubt() && bruteForce(rest, now) { // it never took effect
			return true
		}
		if after, ok := now.step(&o); ok && bruteForce(rest, after) {
			return true
		}
	}
	return false
}

// compared is how often the engines were asked what.
type compared struct {
	legal, illegal, byVersion, special, orders atomic.Int64

	mu     sync.Mutex
	proofs []int // their sizes
}

func (n *compared) proof(size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proofs = append(n.proofs, size)
}

// check demands that enough of everything was seen, and that proofs are short.
func (n *compared) check(t *testing.T, of int) {
	require.Greater(t, n.legal.Load(), int64(of/20))
	require.Greater(t, n.illegal.Load(), int64(of/20))
	require.Greater(t, n.byVersion.Load(), int64(of/100))
	require.Greater(t, n.special.Load(), int64(of/10))
	slices.Sort(n.proofs)
	at := func(share float64) int { return n.proofs[int(share*float64(len(n.proofs)-1))] }
	require.GreaterOrEqual(t, n.orders.Load(), 2*n.legal.Load(), "each engine gives an order")
	t.Logf("%d legal, %d illegal, %d by version alone; %d with unique values; %d orders were replayed; of %d proofs, all confirmed, the median has %d operations, 99%% have at most %d, 99.9%% at most %d, the longest has %d",
		n.legal.Load(), n.illegal.Load(), n.byVersion.Load(), n.special.Load(), n.orders.Load(), len(n.proofs), at(0.5), at(0.99), at(0.999), at(1))
	require.LessOrEqual(t, at(0.5), 4)
	require.LessOrEqual(t, at(0.999), 20)
}

// agree demands that all engines that know such a history say the same of it as the oracle, and that
// the proof of a violation is confirmed.
func (n *compared) agree(oracle func([]Op) porcupine.CheckResult, ops []Op) error {
	ctx := context.Background()
	want := oracle(ops)
	byVersion := want == porcupine.Illegal && oracle(withoutVersions(ops)) == porcupine.Ok
	switch {
	case byVersion:
		n.byVersion.Add(1)
	case want == porcupine.Ok:
		n.legal.Add(1)
	case want == porcupine.Illegal:
		n.illegal.Add(1)
	default:
		return fmt.Errorf("the oracle says %v of\n%s", want, textOf(ops))
	}
	for _, engine := range []Engine{Auto, Compact, Versioned} {
		d := Decide(ctx, ops, engine, Limits{})
		if engine == Versioned && d.Result == porcupine.Unknown {
			continue
		}
		if engine == Versioned {
			n.special.Add(1)
		}
		if d.Result != want || d.ByVersion != byVersion {
			return fmt.Errorf("%s says %v (by version %t), the oracle %v (%t) of\n%s", engine, d.Result, d.ByVersion, want, byVersion, textOf(ops))
		}
		if want == porcupine.Ok {
			if err := replay(ops, d.Order); err != nil {
				return fmt.Errorf("%s says that the order %v explains\n%sbut %w", engine, d.Order, textOf(ops), err)
			}
			n.orders.Add(1)
		}
		if engine == Compact { // with more room than these need, as for many clients
			result, order, _, _ := exploreWith[middle](decider{ctx: ctx, witness: true}, newPlan(ops))
			if result != want || want == porcupine.Ok && replay(ops, order) != nil {
				return fmt.Errorf("with room for many clients, compact says %v and %v, the oracle %v of\n%s", result, order, want, textOf(ops))
			}
		}
		if engine == Auto && want == porcupine.Illegal {
			p := Prove(ctx, ops, d, Limits{})
			if !confirmed(ctx, p) {
				return fmt.Errorf("porcupine does not confirm the proof\n%sof\n%s", textOf(p.Ops), textOf(ops))
			}
			if oracle(weakened(p, ops, d)) == porcupine.Ok {
				return fmt.Errorf("the proof\n%sproves nothing of\n%s", textOf(p.Ops), textOf(ops))
			}
			n.proof(len(p.Ops))
		}
	}
	return nil
}

// weakened is the whole history with all that installs something, but only the observations of a proof: if that
// is legal, the proof has left out what explains them.
func weakened(p Proof, ops []Op, d Decision) []Op {
	shown := make(map[uint32]Action)
	for _, o := range p.Ops {
		shown[o.ID] = o.Action
	}
	var rest []Op
	for _, o := range ops {
		action, ok := shown[o.ID]
		if d.ByValue {
			o.Version = 0
		}
		switch {
		case !ok && (o.Action == Read || o.Action == Differ):
			continue
		case d.ByValue && o.inDoubt() && o.Action == Swap && o.Old == o.Value:
			continue // it changes nothing
		case o.Action == Swap && (!ok || action == Write):
			o = asWrite(o)
		}
		rest = append(rest, o)
	}
	return rest
}

// forAll tests seeds on all processors.
func forAll(t *testing.T, n int, test func(seed uint64) error) {
	var next atomic.Uint64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(n) || t.Failed() {
					return
				}
				if err := test(*first + i); err != nil {
					t.Errorf("seed %d: %v", *first+i, err)
				}
			}
		})
	}
	wait.Wait()
}

func byBruteForce(ops []Op) porcupine.CheckResult { return decided(bruteForce(ops, held{})) }

func byPorcupine(ops []Op) porcupine.CheckResult {
	return decider{ctx: context.Background()}.search(ops).Result
}

// refereed is a register as the referee has it.
var refereed = referee.Register[Value]{Same: func(a, b Value) bool { return a == b }}

// stepOf is an operation as the referee has it.
func stepOf(o Op) referee.Step[Value] {
	s := referee.Step[Value]{Call: o.Call, Return: o.Return, Version: o.Version, Old: o.Old, New: o.Value, Action: referee.Action(o.Action)}
	if o.Action == Read {
		s.Old = o.Value
	}
	return s
}

func replay(ops []Op, order []uint32) error {
	return refereed.Replay(len(ops), func(i int) referee.Step[Value] { return stepOf(ops[i]) }, order)
}

func confirmed(ctx context.Context, p Proof) bool {
	var steps []referee.Step[Value]
	for _, o := range p.Ops {
		steps = append(steps, stepOf(o))
	}
	return refereed.Search(ctx, steps) == porcupine.Illegal
}

// The verdict is that of trying all orders.
func TestAgreesWithBruteForce(t *testing.T) {
	var n compared
	forAll(t, *small, func(seed uint64) error {
		r := rand.New(rand.NewPCG(seed, 1))
		return n.agree(byBruteForce, farVersions(r, tiny(r)))
	})
	n.check(t, *small)
}

// mediumLoad draws what a longer history is made of.
func mediumLoad(r *rand.Rand) []Op {
	l := load{ops: 20 + r.IntN(200), clients: 2 + r.IntN(5)}
	most := 0.03
	if r.IntN(3) == 0 {
		l.ops, most = 10+r.IntN(40), 0.2
	}
	if r.IntN(3) == 0 {
		l.values = 1 + r.IntN(5)
	}
	if r.IntN(2) == 0 {
		l.doubt = most * r.Float64()
	}
	if r.IntN(2) == 0 {
		l.versions = r.Float64()
	}
	if r.IntN(4) == 0 {
		l.differ = r.Float64()
	}
	if r.IntN(4) == 0 {
		l.deletes = 0.3
	}
	ops := l.run(r)
	if r.IntN(2) == 0 {
		spoil(r, ops, 0.03)
	}
	if r.IntN(3) == 0 {
		coarsen(ops)
	}
	return ops
}

// The verdict is porcupine's, on longer histories too.
func TestAgreesWithPorcupine(t *testing.T) {
	var n compared
	forAll(t, *medium, func(seed uint64) error {
		r := rand.New(rand.NewPCG(seed, 2))
		return n.agree(byPorcupine, farVersions(r, mediumLoad(r)))
	})
	n.check(t, *medium)
}
