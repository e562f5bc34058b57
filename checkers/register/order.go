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
	for i := len(g.ops) - 1; i >= 0; i-- {
		if o := &g.ops[i]; o.Action == Read {
			next[i], first[o.Value] = first[o.Value], int32(i)+1
		}
	}
	order := make([]uint32, 0, len(g.ops))
	for _, one := range z.merged() {
		for v := one.head; ; {
			c := &g.clusters[v]
			if c.producer >= 0 {
				order = append(order, uint32(c.producer))
			}
			from := len(order)
			for read := first[v]; read != 0; read = next[read-1] {
				order = append(order, uint32(read-1))
			}
			if !g.inOrder {
				slices.SortFunc(order[from:], func(a, b uint32) int { return cmp.Compare(g.ops[a].Call, g.ops[b].Call) })
			}
			if c.next == Absent {
				break
			}
			v = c.next
		}
	}
	return order
}
