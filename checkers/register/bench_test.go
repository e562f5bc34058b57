package register

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// These benchmarks put sunder's engines beside porcupine in one process: `make bench-check`. What is compared is CPU
// time, the least of all rounds, as the machines that this runs on are noisy.

// cost is what a decision takes.
type cost struct {
	cpu   time.Duration
	bytes uint64 // allocated in all
}

// least is the cost of the cheapest of some rounds.
func (c *cost) least(round int, other cost) {
	if round == 0 || other.cpu < c.cpu {
		c.cpu = other.cpu
	}
	c.bytes = other.bytes
}

// measure runs f alone, on a heap that was just cleaned.
func measure(f func()) cost {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := cpuTime()
	f()
	c := cost{cpu: cpuTime() - start}
	runtime.ReadMemStats(&after)
	c.bytes = after.TotalAlloc - before.TotalAlloc
	return c
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// plainPorcupine decides as somebody would who writes a register for porcupine in the usual way.
func plainPorcupine(ops []Op, timeout time.Duration) porcupine.CheckResult {
	calls := make([]porcupine.Operation, len(ops))
	for i := range ops {
		calls[i] = porcupine.Operation{ClientId: i, Input: ops[i], Call: ops[i].Call, Return: ops[i].Return}
	}
	model := porcupine.Model{
		Init: func() interface{} { return 0 },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			o := input.(Op)
			switch o.Action {
			case Read:
				return state.(int) == int(o.Value), state
			case Write:
				return true, int(o.Value)
			default:
				if state.(int) == int(o.Old) {
					return true, int(o.Value)
				}
				return o.Return == Never, state
			}
		},
	}
	return porcupine.CheckOperationsTimeout(model, calls, timeout)
}

// stale makes a read near the end see what was there at the beginning.
func stale(ops []Op) []Op {
	for i := len(ops) * 19 / 20; i < len(ops); i++ {
		if ops[i].Action == Read {
			ops[i].Value = firstWritten(ops)
			return ops
		}
	}
	panic("no read")
}

func firstWritten(ops []Op) Value {
	for _, o := range ops {
		if o.Action == Write && !o.inDoubt() {
			return o.Value
		}
	}
	panic("no write")
}

// BenchmarkCheck reports how many times less CPU time sunder takes than porcupine for the same histories, and how many
// times less memory.
func BenchmarkCheck(b *testing.B) {
	for _, c := range []struct {
		name  string
		load  load
		stale bool
		alone bool // porcupine does not end, or not within the memory here
	}{
		{name: "unique/c=5/n=1e3", load: load{ops: 1e3, clients: 5}},
		{name: "unique/c=5/n=1e4", load: load{ops: 1e4, clients: 5}},
		{name: "unique/c=10/n=1e4", load: load{ops: 1e4, clients: 10}},
		{name: "unique/c=15/n=1e3", load: load{ops: 1e3, clients: 15}},
		{name: "unique/c=5/n=1e5", load: load{ops: 1e5, clients: 5}},
		{name: "stale/c=5/n=1e3/doubt=1%", load: load{ops: 1e3, clients: 5, doubt: 0.01}, stale: true},
		{name: "stale/c=5/n=1e4/doubt=1%", load: load{ops: 1e4, clients: 5, doubt: 0.01}, stale: true, alone: true},
		{name: "domain/c=5/n=1e4", load: load{ops: 1e4, clients: 5, values: 4}},
		{name: "domain/c=10/n=1e4", load: load{ops: 1e4, clients: 10, values: 4}},
		{name: "domain/c=10/n=1e4/doubt=1%", load: load{ops: 1e4, clients: 10, values: 4, doubt: 0.01}},
		{name: "domain/c=20/n=1e4", load: load{ops: 1e4, clients: 20, values: 4}, alone: true},
		{name: "domain/c=20/n=1e4/doubt=1%", load: load{ops: 1e4, clients: 20, values: 4, doubt: 0.01}, alone: true},
	} {
		b.Run(c.name, func(b *testing.B) {
			want := porcupine.Ok
			var all [][]Op
			for seed := range uint64(seeds) {
				ops := c.load.run(rand.New(rand.NewPCG(seed, 7)))
				if c.stale {
					ops, want = stale(ops), porcupine.Illegal
				}
				all = append(all, ops)
			}
			var ours, theirs cost
			for round := 0; b.Loop(); round++ {
				ours.least(round, measure(func() {
					for _, ops := range all {
						require.Equal(b, want, Decide(b.Context(), ops, Auto, Limits{}).Result)
					}
				}))
				if !c.alone {
					theirs.least(round, measure(func() {
						for _, ops := range all {
							require.Equal(b, want, plainPorcupine(ops, 0))
						}
					}))
				}
			}
			report(b, ours, seeds*c.load.ops)
			if !c.alone {
				b.ReportMetric(float64(theirs.cpu.Microseconds())/1e3, "porcupine-cpu-ms")
				b.ReportMetric(float64(theirs.cpu)/float64(ours.cpu), "times-faster")
				b.ReportMetric(float64(theirs.bytes)/float64(ours.bytes), "times-less-memory")
			}
		})
	}
}

// seeds is how many histories of a kind are decided: how hard one is to search differs a hundredfold.
const seeds = 5

func report(b *testing.B, c cost, ops int) {
	b.ReportMetric(0, "ns/op") // the time of both, and of cleaning up: of no meaning
	b.ReportMetric(float64(c.cpu.Microseconds())/1e3, "cpu-ms")
	b.ReportMetric(float64(c.bytes)/float64(ops), "B/operation")
}

// inOrder sorts operations by their calls and numbers values as they come, as those of a history are.
func inOrder(ops []Op) []Op {
	slices.SortStableFunc(ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	return renumber(ops)
}

// BenchmarkMillion decides a million operations on one key.
func BenchmarkMillion(b *testing.B) {
	for _, c := range []struct {
		clients  int
		versions float64
		stale    bool
	}{{5, 0, false}, {50, 0, false}, {50, 0, true}, {50, 1, false}, {50, 1, true}} {
		b.Run(fmt.Sprintf("c=%d/versions=%v/stale=%t", c.clients, c.versions, c.stale), func(b *testing.B) {
			ops := inOrder(load{ops: 1e6, clients: c.clients, doubt: 0.01, versions: c.versions}.run(rand.New(rand.NewPCG(7, 7))))
			want := porcupine.Ok
			if c.stale {
				ops, want = stale(ops), porcupine.Illegal
			}
			var ours, proof cost
			for round := 0; b.Loop(); round++ {
				var d Decision
				ours.least(round, measure(func() { d = Decide(b.Context(), ops, Auto, Limits{}) }))
				require.Equal(b, want, d.Result)
				if c.stale {
					proof.least(round, measure(func() {
						p := Prove(context.Background(), ops, d, Limits{})
						require.True(b, confirmed(b.Context(), p))
						require.LessOrEqual(b, len(p.Ops), 20)
					}))
				}
			}
			report(b, ours, len(ops))
			if c.stale {
				b.ReportMetric(float64(proof.cpu.Microseconds())/1e3, "proof-cpu-ms")
			}
		})
	}
}

// BenchmarkKeys decides a million operations on a thousand keys, which is porcupine's good case.
func BenchmarkKeys(b *testing.B) {
	const keys = 1000
	all := make([][]Op, keys)
	for k := range all {
		all[k] = load{ops: 1000, clients: 3, doubt: 0.01}.run(rand.New(rand.NewPCG(7, uint64(k))))
	}
	var ours, theirs cost
	for round := 0; b.Loop(); round++ {
		ours.least(round, measure(func() {
			for _, ops := range all {
				require.Equal(b, porcupine.Ok, Decide(b.Context(), ops, Auto, Limits{}).Result)
			}
		}))
		theirs.least(round, measure(func() {
			for _, ops := range all {
				require.Equal(b, porcupine.Ok, plainPorcupine(ops, 0))
			}
		}))
	}
	report(b, ours, 1e6)
	b.ReportMetric(float64(theirs.cpu.Microseconds())/1e3, "porcupine-cpu-ms")
	b.ReportMetric(float64(theirs.cpu)/float64(ours.cpu), "times-faster")
}
