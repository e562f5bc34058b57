package register

import (
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// What looks hard to a search and is not: much that is open at once, of few kinds, and much in doubt beside one
// client. All of these are decided within a fraction of a second; a search that tries orders without more thought
// ends on none of them.
func TestCliffs(t *testing.T) {
	for name, c := range map[string]struct {
		ops  []Op
		want porcupine.CheckResult
	}{
		"64 writes of 3 values at once, then 1 1 2":    {openWrites(64, 3, 1, 1, 2), porcupine.Illegal},
		"64 writes of 3 values at once, then 1 1":      {openWrites(64, 3, 1, 1), porcupine.Ok},
		"120 writes of 3 values at once, then 2 2 1":   {openWrites(120, 3, 2, 2, 1), porcupine.Illegal},
		"300 writes of 2 values at once, then 1 2":     {openWrites(300, 2, 1, 2), porcupine.Illegal},
		"80 clients, 5 values":                         {manyClients(80, 3000, 5, 0), porcupine.Ok},
		"80 clients, 5 values, some in doubt":          {manyClients(80, 3000, 5, 0.01), porcupine.Ok},
		"200 clients, 5 values":                        {manyClients(200, 3000, 5, 0), porcupine.Ok},
		"30 in doubt beside one client, to and fro":    {besideDoubts(6, func(i int) Value { return Value(2 - i%2) }), porcupine.Illegal},
		"30 in doubt beside one client, round":         {besideDoubts(6, func(i int) Value { return Value(1 + (i+1)%3) }), porcupine.Ok},
		"30 in doubt beside one client, from nowhere":  {append(besideDoubts(6, func(i int) Value { return Value(1 + i%3) }), nowhere()...), porcupine.Illegal},
		"100,000 in doubt, each built on another":      {chainOfDoubts(100_000), porcupine.Ok},
		"100,000 in doubt, and a value that was there": {append(chainOfDoubts(100_000), Op{Action: Read, Value: 7, Call: 3e6, Return: 3e6, ID: 3e6}), porcupine.Illegal},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(t.Context(), c.ops, Auto, Limits{Memory: 1 << 30, Configs: 2_000_000})
			require.Equal(t, c.want, d.Result, d.Why)
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

// manyClients are clients that read and write a few values, all of them at any time, of a register that is right.
func manyClients(clients, n, values int, doubt float64) (ops []Op) {
	r := rand.New(rand.NewPCG(1, 5))
	var open []int
	done := make(map[int]bool) // it has taken effect
	now, state := int64(0), Absent
	for len(ops) < n || len(open) > 0 {
		now++
		if len(open) < clients && len(ops) < n {
			o := Op{Action: Read, Call: now, ID: uint32(len(ops))}
			if r.IntN(3) > 0 {
				o.Action, o.Value = Write, Value(1+r.IntN(values))
			}
			open = append(open, len(ops))
			ops = append(ops, o)
			if len(open) < clients {
				continue
			}
		}
		i := r.IntN(len(open))
		o := &ops[open[i]]
		if !done[open[i]] {
			done[open[i]] = true
			if o.Action == Write {
				state = o.Value
			} else {
				o.Value = state
			}
		}
		if o.Return = now; o.Action == Write && r.Float64() < doubt {
			o.Return = Never
		}
		open = append(open[:i], open[i+1:]...)
	}
	return ops
}

// besideDoubts is a write of 1 and compare-and-sets from each of some values to each other one, all of them in doubt,
// and then a client that reads eleven times.
func besideDoubts(values Value, reads func(i int) Value) (ops []Op) {
	add := func(o Op) { o.ID = uint32(len(ops)); ops = append(ops, o) }
	add(at(0, 1, write(1)))
	for a := range values {
		for b := range values {
			if a != b {
				add(at(int64(2+len(ops)), Never, swap(a+1, b+1)))
			}
		}
	}
	for i := range 11 {
		add(at(int64(200+10*i), int64(205+10*i), read(reads(i))))
	}
	return ops
}

// nowhere is two values that are each made of the other one, and a read of one of them.
func nowhere() []Op {
	return []Op{
		{Action: Swap, Old: 98, Value: 99, Call: 90, Return: Never, ID: 1000}, {Action: Swap, Old: 99, Value: 98, Call: 91, Return: Never, ID: 1001},
		{Action: Read, Value: 99, Call: 900, Return: 905, ID: 1002},
	}
}

// chainOfDoubts is compare-and-sets in doubt, of which each builds on the one before, and a read of the last. A value
// comes twice, so that a search is needed.
func chainOfDoubts(n int) []Op {
	ops := []Op{{Action: Write, Value: 1, Call: 0, Return: 1}}
	for i := range n {
		ops = append(ops, Op{Action: Swap, Old: Value(i + 1), Value: Value(i + 2), Call: int64(10 + i), Return: Never, ID: uint32(i + 1)})
	}
	return append(ops,
		Op{Action: Write, Value: 1, Call: 2e6, Return: Never, ID: uint32(n + 1)},
		Op{Action: Read, Value: Value(n + 1), Call: 2e6 + 10, Return: 2e6 + 20, ID: uint32(n + 2)})
}
