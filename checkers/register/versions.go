package register

// Versions put blocks in an order of their own. What must come before a block must come before all later ones
// too: with the last calls carried along that order, the test for cycles of two is complete again
// (docs/checking.md).

// rangedZone is a block with the first and the last version that are known of it, which are 0 if none is.
type rangedZone struct {
	zone
	low, high uint64
}

// take takes the version of the next value of the block in. If versions do not grow, it leaves high < low.
func (r *rangedZone) take(version uint64) {
	switch {
	case r.low == 0:
		r.low, r.high = version, version
	case r.high < r.low: // it is known already
	case version <= r.high:
		r.low, r.high = 1, 0
	default:
		r.high = version
	}
}

// byVersion sorts blocks by their versions and carries their last calls along. It returns
// the values of blocks whose versions or times contradict it.
func (g *graph) byVersion(blocks []rangedZone) (bad []Value) {
	sortAlmostSorted(blocks, func(r *rangedZone) int64 { return int64(r.low ^ 1<<63) }) // in the order of unsigned numbers
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
