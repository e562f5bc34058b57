package register

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func at(call, ret int64, o Op) Op { o.Call, o.Return = call, ret; return o }

func write(v Value) Op          { return Op{Action: Write, Value: v} }
func read(v Value) Op           { return Op{Action: Read, Value: v} }
func swap(old, v Value) Op      { return Op{Action: Swap, Old: old, Value: v} }
func differ(old Value) Op       { return Op{Action: Differ, Old: old} }
func version(o Op, n uint64) Op { o.Version = n; return o }

// Cases that a plausible but wrong engine gets wrong.
func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		ops  []Op
		want porcupine.CheckResult
	}{
		"a swap is not a read and a write": {[]Op{at(0, 1, write(1)), at(2, 9, swap(1, 2)), at(3, 4, write(3)), at(5, 6, read(3)), at(7, 8, read(2))}, porcupine.Illegal},
		"a doubt must not be left out":     {[]Op{at(0, Never, write(1)), at(5, 6, read(1))}, porcupine.Ok},
		"nor taken twice":                  {[]Op{at(0, Never, write(1)), at(1, 2, read(1)), at(3, 4, write(2)), at(5, 6, read(2)), at(7, 8, read(1))}, porcupine.Illegal},
		"equal doubts are as many as they are": {[]Op{at(0, Never, write(1)), at(0, Never, write(1)), at(1, 2, read(1)), at(3, 4, write(2)), at(5, 6, read(2)), at(7, 8, read(1)),
			at(9, 10, write(2)), at(11, 12, read(2)), at(13, 14, read(1))}, porcupine.Illegal},
		"what touches is concurrent":       {[]Op{at(0, 1, write(1)), at(1, 2, read(0))}, porcupine.Ok},
		"a doubt may explain a difference": {[]Op{at(0, 1, write(1)), at(0, Never, write(2)), at(3, 4, differ(1)), at(5, 6, write(1)), at(7, 8, read(1))}, porcupine.Ok},
		"but only one":                     {[]Op{at(0, 1, write(1)), at(0, Never, write(2)), at(3, 4, differ(1)), at(5, 6, write(1)), at(7, 8, differ(1))}, porcupine.Illegal},
		"a difference after all":           {[]Op{at(0, 1, write(1)), at(2, 3, differ(1))}, porcupine.Illegal},
		"a chain of doubts":                {[]Op{at(0, Never, write(1)), at(0, Never, swap(1, 2)), at(0, Never, swap(2, 3)), at(5, 6, read(3))}, porcupine.Ok},
		"a chain without a beginning":      {[]Op{at(0, Never, swap(1, 2)), at(0, Never, swap(2, 3)), at(5, 6, read(3))}, porcupine.Illegal},
		"a circle":                         {[]Op{at(0, 9, swap(1, 2)), at(0, 9, swap(2, 1))}, porcupine.Illegal},
		"deleted":                          {[]Op{at(0, 1, write(1)), at(2, 3, write(Absent)), at(4, 5, read(Absent)), at(6, 7, read(1))}, porcupine.Illegal},
		"deleted late":                     {[]Op{at(0, 1, write(1)), at(2, Never, write(Absent)), at(4, 5, read(1)), at(6, 7, read(Absent))}, porcupine.Ok},
		"versions grow":                    {[]Op{at(0, 1, version(write(1), 5)), at(2, 3, version(write(2), 4))}, porcupine.Illegal},
		"a version that comes twice":       {[]Op{at(0, 9, version(write(1), 5)), at(0, 9, version(write(2), 5))}, porcupine.Illegal},
		"versions of one value":            {[]Op{at(0, 9, write(1)), at(0, 9, version(read(1), 5)), at(0, 9, version(read(1), 6))}, porcupine.Illegal},
		"versions of one value, twice":     {[]Op{at(0, 9, write(1)), at(0, 9, write(1)), at(0, 9, version(read(1), 5)), at(0, 9, version(read(1), 6))}, porcupine.Ok},
		"versions against time":            {[]Op{at(3, 9, version(write(1), 5)), at(0, 1, version(write(2), 6)), at(2, 9, read(0))}, porcupine.Illegal},
		"versions of all sizes":            {[]Op{at(0, 9, version(write(1), 1<<64-1)), at(0, 9, version(write(2), 2)), at(0, 9, version(write(3), 1<<63))}, porcupine.Ok},
		"versions through others": {[]Op{at(0, 9, version(write(1), 5)), at(0, 9, version(write(2), 6)), at(0, 9, write(3)),
			at(1, 2, read(2)), at(3, 4, read(3)), at(5, 6, read(1))}, porcupine.Illegal},
		"nothing": {nil, porcupine.Ok},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.ops {
				c.ops[i].ID = uint32(i)
			}
			require.Equal(t, c.want, byBruteForce(c.ops), "the case itself")
			var n compared
			require.NoError(t, n.agree(byPorcupine, c.ops))
		})
	}
}

// An engine that does not know a history says so.
func TestEnginesKnowTheirLimits(t *testing.T) {
	for name, ops := range map[string][]Op{
		"a value twice":          {at(0, 1, write(1)), at(0, 1, write(1))},
		"the first value":        {at(0, 1, write(Absent))},
		"a difference":           {at(0, 1, differ(1))},
		"a value twice, by swap": {at(0, 1, write(1)), at(0, 1, swap(1, 1))},
	} {
		for _, e := range []Engine{Unique, Versioned} {
			d := Decide(t.Context(), ops, e, Limits{})
			require.Equal(t, porcupine.Unknown, d.Result, name)
			require.Contains(t, d.Why, "written twice")
		}
	}
	require.Contains(t, Decide(t.Context(), nil, "knossos", Limits{}).Why, `there is no engine "knossos"`)

	// With more open at once than compact can tell apart, auto asks porcupine.
	var many []Op
	for i := range 1100 {
		many = append(many, at(0, 5000, write(1)), at(5001+int64(i), 5001+int64(i), read(1)))
	}
	require.Contains(t, Decide(t.Context(), many, Compact, Limits{}).Why, "more than 1024 operations are open")
	d := Decide(t.Context(), many, Auto, Limits{})
	require.Equal(t, porcupine.Ok, d.Result)
	require.Equal(t, Porcupine, d.Engine)
	require.NoError(t, replay(many, d.Order))
	d = Decide(t.Context(), many, Auto, Limits{Configs: 10})
	require.True(t, d.Limited, "not before everybody else had a turn")
}

// Out of its budget a search says so, and why.
func TestBudgets(t *testing.T) {
	// Writes at once of few values, and reads of them in an order that cannot be: nothing but trying helps.
	var hard []Op
	for i := range 24 {
		hard = append(hard, at(0, 1000, swap(Value(i%3), Value((i+1)%3))), at(0, 1000, write(Value(i%3))))
	}
	for i := range 30 {
		hard = append(hard, at(2000+int64(i)*10, 2005+int64(i)*10, read(Value(i%3))))
	}
	for _, engine := range []Engine{Compact, Porcupine} {
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		late, stop := context.WithTimeout(t.Context(), 0)
		defer stop()
		for why, d := range map[string]Decision{
			"interrupted":              Decide(canceled, hard, engine, Limits{}),
			"out of its time budget":   Decide(late, hard, engine, Limits{}),
			"out of its memory budget": Decide(t.Context(), hard, engine, Limits{Memory: 1 << 20}),
		} {
			require.Equal(t, porcupine.Unknown, d.Result, "%s: %s", engine, why)
			require.Equal(t, why, d.Why, engine)
			require.Equal(t, engine, d.Engine)
		}
	}
	d := Decide(t.Context(), hard, Compact, Limits{Configs: 100})
	require.Equal(t, "out of its configurations", d.Why)
	require.True(t, d.Limited)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	require.Equal(t, "out of its time budget", Decide(ctx, hard, Porcupine, Limits{}).Why, "also in mid-search")
}

// There are as many chains of compare-and-sets in doubt as paths through the values: the budget holds there too.
func TestChainsKeepTheBudget(t *testing.T) {
	ops := []Op{at(0, 1, write(1))}
	for a := range Value(12) {
		for b := range Value(12) {
			if a != b {
				ops = append(ops, at(2, Never, swap(a+1, b+1)))
			}
		}
	}
	// From other values to 1 or 2 and back, more often than there are compare-and-sets that lead there.
	for i := range Value(22) {
		t := int64(5 + 10*i)
		ops = append(ops, at(t, t+1, read(3+i%10)), at(t+2, t+3, read(1+i%2)))
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	require.Equal(t, outOfTime, Decide(ctx, ops, Compact, Limits{}).Why)
	d := Decide(t.Context(), ops, Compact, Limits{Memory: 4 << 20})
	require.Equal(t, outOfMemory, d.Why)
	require.True(t, d.Limited)
}

// The differences of a history are no part of what values alone conflict about.
func TestProofWithDifferences(t *testing.T) {
	ops := []Op{at(0, 1, write(1)), at(2, 3, write(2)), at(4, 5, differ(1)), at(6, 7, read(Absent))}
	for i := range ops {
		ops[i].ID = uint32(i)
	}
	p := Prove(t.Context(), ops, Decide(t.Context(), ops, Auto, Limits{}), Limits{})
	require.True(t, confirmed(t.Context(), p))
	require.False(t, slices.ContainsFunc(p.Ops, differs), textOf(p.Ops))
	require.True(t, slices.ContainsFunc(p.Ops, func(o Op) bool { return o.Action == Read }))
}

// What no search could decide: many clients, a violation, and calls in doubt.
func TestUniqueDecidesWhatNoSearchCan(t *testing.T) {
	ops := load{ops: 20_000, clients: 50, doubt: 0.01}.run(rand.New(rand.NewPCG(1, 3)))
	require.Equal(t, porcupine.Ok, Decide(t.Context(), ops, Auto, Limits{}).Result)
	d := Decide(t.Context(), stale(ops), Auto, Limits{})
	require.Equal(t, porcupine.Illegal, d.Result)
	require.Equal(t, Unique, d.Engine)
	require.True(t, confirmed(t.Context(), Prove(t.Context(), ops, d, Limits{})))
}

// Zones that are almost in order are sorted like any others, and those of the same time stay as they are.
func TestSortAlmostSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 2000 {
		all := make([]zone, r.IntN(200))
		for i := range all {
			all[i] = zone{first: int64(i) + r.Int64N(1+int64(n%50)), head: Value(i)}
			if n%10 == 0 {
				all[i].first = r.Int64N(100)
			}
		}
		want := slices.Clone(all)
		slices.SortStableFunc(want, func(a, b zone) int { return cmp.Compare(a.first, b.first) })
		sortAlmostSorted(all, func(z *zone) int64 { return z.first })
		require.Equal(t, want, all)
	}
}
