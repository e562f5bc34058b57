package register

import (
	"cmp"
	"slices"
)

// order returns an order that explains the history, by indices of its operations: block by block, and in each block
// value by value, what installed it and then the reads of it in the order of their calls.
func (g *graph) order(z *zones) []uint32 {
	next := make([]int32, len(g.ops)) // by read: the next one of the same value, one more than its index
	first := make([]int32, len(g.clusters))
	link := func(i int) {
		if o := &g.ops[i]; o.Action == Read {
			next[i], first[o.Value] = first[o.Value], int32(i)+1
		}
	}
	if byCall := g.byCall(); byCall == nil {
		for i := len(g.ops) - 1; i >= 0; i-- {
			link(i)
		}
	} else {
		for _, i := range slices.Backward(byCall) {
			link(int(i))
		}
	}
	order := make([]uint32, 0, len(g.ops))
	for _, one := range z.merged() {
		for v := one.head; ; {
			c := &g.clusters[v]
			if c.producer >= 0 {
				order = append(order, uint32(c.producer))
			}
			for read := first[v]; read != 0; read = next[read-1] {
				order = append(order, uint32(read-1))
			}
			if c.next == Absent {
				break
			}
			v = c.next
		}
	}
	return order
}

// byCall returns the operations in the order of their calls, or nil if they are in it.
func (g *graph) byCall() []int32 {
	if slices.IsSortedFunc(g.ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) }) {
		return nil
	}
	order := make([]int32, len(g.ops))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(g.ops[a].Call, g.ops[b].Call) })
	return order
}
