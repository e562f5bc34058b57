package register

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// load describes clients of a register that is right.
type load struct {
	ops, clients int
	values       int     // 0: every value is written once
	doubt        float64 // of calls, none of them reads, end in doubt; half of those take effect, some much later
	deletes      float64 // of writes delete
	differ       float64 // of compare-and-sets fail, and say only that
	versions     float64 // of answers tell the version
}

// run lets the clients work, each on its next operation as soon as the last one has ended.
func (l load) run(r *rand.Rand) []Op {
	type pending struct {
		Op
		at int64 // when it takes effect
	}
	free := make([]int64, l.clients)
	all := make([]pending, l.ops)
	for i := range all {
		c := r.IntN(l.clients)
		call := free[c] + r.Int64N(200)
		took := 2 + r.Int64N(2000)
		p := pending{Op{Call: call, Return: call + took, Value: Value(i + 1), ID: uint32(i)}, call + r.Int64N(took+1)}
		free[c] = p.Return + 1
		if l.values > 0 {
			p.Value = 1 + Value(r.IntN(l.values))
		}
		switch k := r.IntN(4); {
		case k < 2:
			p.Action = Read
		case k == 2:
			p.Action = Write
			if r.Float64() < l.deletes {
				p.Value = Absent
			}
		default:
			p.Action = Swap
		}
		if p.Action != Read && r.Float64() < 2*l.doubt { // half of the calls are reads
			p.Return = Never
			if r.IntN(2) == 0 {
				p.at = Never // it never takes effect
			} else if r.IntN(5) == 0 {
				p.at += r.Int64N(20_000)
			}
		}
		all[i] = p
	}
	order := make([]int32, l.ops)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(all[a].at, all[b].at) })
	state, version := Absent, uint64(0)
	told := func() uint64 {
		if state == Absent || r.Float64() >= l.versions {
			return 0
		}
		return version
	}
	for _, i := range order {
		p := &all[i]
		switch {
		case p.Action == Read:
			p.Value = state
			p.Version = told()
			continue
		case p.Action == Swap && r.Float64() < l.differ:
			p.Old = Value(r.IntN(max(l.values, l.ops) + 1))
			if p.Old != state {
				if p.Return != Never {
					p.Action = Differ
				}
				continue
			}
		case p.Action == Swap:
			p.Old = state
		}
		if p.at == Never {
			continue
		}
		state = p.Value
		version += 1 + r.Uint64N(3)
		if p.Return != Never {
			p.Version = told()
		}
	}
	ops := make([]Op, l.ops)
	for i := range all {
		ops[i] = all[i].Op
	}
	return ops
}

// spoil changes what some of the clients saw.
func spoil(r *rand.Rand, ops []Op, share float64) {
	n := values(ops)
	for i := range ops {
		if r.Float64() >= share {
			continue
		}
		switch o := &ops[i]; {
		case o.Version != 0 && r.IntN(2) == 0:
			o.Version += r.Uint64N(5) - 2
		case o.Action == Read, o.Action == Differ:
			o.Value, o.Old = Value(r.IntN(n)), Value(r.IntN(n))
		case o.Action == Swap:
			o.Old = Value(r.IntN(n))
		}
	}
}

// coarsen makes many moments the same. What is legal stays so.
func coarsen(ops []Op) {
	for i := range ops {
		ops[i].Call >>= 8
		if !ops[i].inDoubt() {
			ops[i].Return >>= 8
		}
	}
}

// tiny makes up a few operations, with ties, doubts, and observations of all kinds; most of them make no
// sense.
func tiny(r *rand.Rand) []Op {
	ops := make([]Op, 1+r.IntN(7))
	unique, versioned, different := r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	for i := range ops {
		call := r.Int64N(12)
		o := Op{Call: call, Return: call + r.Int64N(7), Value: Value(i + 1), ID: uint32(i)}
		seen := Absent
		if n := r.IntN(len(ops) + 2); n > 0 {
			seen = Value(n)
		}
		if !unique {
			o.Value, seen = Value(r.IntN(4)), Value(r.IntN(4))
		}
		switch r.IntN(9) {
		case 0, 1:
			o.Action = Write
		case 2:
			o.Action, o.Return = Write, Never
		case 3, 4:
			o.Action, o.Old = Swap, seen
		case 5:
			o.Action, o.Old, o.Return = Swap, seen, Never
		case 6:
			if different {
				o.Action, o.Old = Differ, seen
				break
			}
			fallthrough
		default:
			o.Action, o.Value = Read, seen
		}
		if versioned && o.Return != Never && o.Action != Differ && r.IntN(2) == 0 {
			o.Version = 1 + r.Uint64N(uint64(len(ops)))
		}
		ops[i] = o
	}
	return ops
}

// farVersions moves the versions of some histories to where the half and the end of all numbers are.
func farVersions(r *rand.Rand, ops []Op) []Op {
	highest := uint64(0)
	for _, o := range ops {
		highest = max(highest, o.Version)
	}
	var by uint64
	switch r.IntN(6) {
	case 0:
		by = 1<<63 - min(1<<63, highest/2+1)
	case 1:
		by = math.MaxUint64 - highest
	}
	for i := range ops {
		if ops[i].Version != 0 {
			ops[i].Version += by
		}
	}
	return ops
}

// textOf writes operations down, for when two engines differ.
func textOf(ops []Op) string {
	var b strings.Builder
	for _, o := range ops {
		end := fmt.Sprint(o.Return)
		if o.inDoubt() {
			end = "?"
		}
		switch o.Action {
		case Read:
			fmt.Fprintf(&b, "read %d", o.Value)
		case Write:
			fmt.Fprintf(&b, "write %d", o.Value)
		case Swap:
			fmt.Fprintf(&b, "swap %d -> %d", o.Old, o.Value)
		default:
			fmt.Fprintf(&b, "differ from %d", o.Old)
		}
		fmt.Fprintf(&b, " [%d, %s] version %d\n", o.Call, end, o.Version)
	}
	return b.String()
}
