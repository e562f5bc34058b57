package register

import (
	"cmp"
	"slices"
)

// Versions put blocks in an order of their own. What must come before a block must come before all later ones
// too: with the last calls carried along that order, the test for cycles of two is complete again
// (docs/checking.md).

// ranged is a block of which versions are known.
type ranged struct {
	zone
	low, high uint64
}

// versions returns the first and the last version in a block, or high < low if they do not grow.
func (g *graph) versions(head Value) (r ranged) {
	for v := head; ; v = g.clusters[v].next {
		c := &g.clusters[v]
		switch {
		case c.version == 0:
		case r.high == 0:
			r.low, r.high = c.version, c.version
		case c.version <= r.high:
			return ranged{low: 1}
		default:
			r.high = c.version
		}
		if c.next == Absent {
			return r
		}
	}
}

// inOrder sorts blocks by their versions and carries their last calls along. It returns
// the values of blocks whose versions or times contradict it.
func (g *graph) inOrder(blocks []ranged) (bad []Value) {
	slices.SortFunc(blocks, func(a, b ranged) int { return cmp.Compare(a.low, b.low) })
	for i := 1; i < len(blocks); i++ {
		before, b := &blocks[i-1], &blocks[i]
		if b.low <= before.high {
			return g.valuesOf(before.head, b.head)
		}
		if b.first < before.last { // something of b ended before something of an earlier one began
			return g.valuesOf(before.byLast, b.head)
		}
		if before.last > b.last {
			b.last, b.byLast = before.last, before.byLast
		}
	}
	return nil
}
