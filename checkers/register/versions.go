package register

import (
	"cmp"
	"slices"
)

// Versions put blocks in an order of their own. Along it, what must come before or after a later or
// an earlier block must come before or after this one too; with the zones widened accordingly, the
// test for cycles of two is complete again (docs/checking.md).

// ranged is a block of which versions are known.
type ranged struct {
	zone
	low, high uint64
}

// versions returns the first and the last version in a block, or high < low if they do not grow.
func (g *graph) versions(head Value) (r ranged) {
	if !g.versioned {
		return r
	}
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

// inOrder sorts blocks by their versions and widens their zones by what that order implies. It returns
// the values of blocks whose versions or times contradict it.
func (g *graph) inOrder(blocks []ranged) (bad []Value) {
	slices.SortFunc(blocks, func(a, b ranged) int { return cmp.Compare(a.low, b.low) })
	for i := 1; i < len(blocks); i++ {
		before, b := &blocks[i-1], &blocks[i]
		if b.low <= before.high {
			return g.valuesOf(before.byFirst, b.byFirst)
		}
		if b.first < before.last { // something of b ended before something of an earlier one began
			return g.valuesOf(before.byLast, b.byFirst)
		}
		if before.last > b.last {
			b.last, b.byLast = before.last, before.byLast
		}
	}
	for i := len(blocks) - 2; i >= 0; i-- {
		b, after := &blocks[i], &blocks[i+1]
		if after.first < b.first {
			b.first, b.byFirst = after.first, after.byFirst
		}
	}
	return nil
}
