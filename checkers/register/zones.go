package register

import (
	"cmp"
	"slices"
)

// zone is the time that a block needs for itself: from its first return to its last call. Blocks are named by
// their first values; with versions the last call may be that of an earlier block.
type zone struct {
	first, last  int64
	head, byLast Value
}

// forward reports whether something in the block had returned before something else in it was called.
func (z *zone) forward() bool { return z.first < z.last }

// zones are forward ones, from the left, and backward ones, from the right.
type zones struct {
	all         []zone
	left, right int
}

func (z *zones) add(one zone) {
	if one.forward() {
		z.all[z.left] = one
		z.left++
	} else {
		z.right--
		z.all[z.right] = one
	}
}

// overlap finds two zones that must each come before the other: of two forward ones, any that overlap;
// or a backward one that lies within a forward one. If there are none, it has sorted the forward ones by their
// beginnings and the backward ones by their ends, for [zones.merged].
func (z *zones) overlap() (a, b zone, found bool) {
	forward, backward := z.all[:z.left], z.all[z.right:]
	slices.Reverse(backward) // as they were added: of those that end together, the order stays
	sortAlmostSorted(forward, func(z *zone) int64 { return z.first })
	sortAlmostSorted(backward, func(z *zone) int64 { return z.last })
	for i := 1; i < len(forward); i++ {
		if forward[i].first < forward[i-1].last {
			return forward[i-1], forward[i], true
		}
	}
	for n, b := range z.merged() {
		// Of the forward zones that begin before it ends, the last one ends last.
		if !b.forward() && n > 0 && forward[n-1].last > b.first {
			return forward[n-1], *b, true
		}
	}
	return zone{}, zone{}, false
}

// merged goes through the zones in an order that explains them, once [zones.overlap] has sorted them: each backward one
// after the forward ones that begin before it ends. It tells how many forward ones came before.
//
// A block must come before another if its first return is before the other's last call. Of two forward ones, which do
// not overlap, the first ends before the second begins. Two backward ones may come either way. A backward one that
// ends after a forward one has begun does not lie within it, so it begins after the forward one has ended.
func (z *zones) merged() func(yield func(forwardBefore int, one *zone) bool) {
	return func(yield func(int, *zone) bool) {
		forward, n := z.all[:z.left], 0
		for i := z.right; i < len(z.all); i++ {
			b := &z.all[i]
			for ; n < len(forward) && forward[n].first < b.last; n++ {
				if !yield(n, &forward[n]) {
					return
				}
			}
			if !yield(n, b) {
				return
			}
		}
		for ; n < len(forward); n++ {
			if !yield(n, &forward[n]) {
				return
			}
		}
	}
}

// sortAlmostSorted sorts zones that are found almost in order, as those of a history are: each is a few places from its
// own. What is further from that is sorted in the usual way. Those of the same key stay in their order.
func sortAlmostSorted[Z any](zones []Z, key func(*Z) int64) {
	moves := 8 * len(zones)
	for i := 1; i < len(zones); i++ {
		k := key(&zones[i])
		if key(&zones[i-1]) <= k {
			continue
		}
		one, j := zones[i], i
		for ; j > 0 && key(&zones[j-1]) > k && moves > 0; j-- {
			zones[j] = zones[j-1]
			moves--
		}
		zones[j] = one
		if moves == 0 {
			sortAny(zones, key)
			return
		}
	}
}

// sortAny sorts by keys and, if they are the same, by places.
func sortAny[Z any](zones []Z, key func(*Z) int64) {
	type placed struct {
		key   int64
		place int32
	}
	order := make([]placed, len(zones))
	for i := range zones {
		order[i] = placed{key(&zones[i]), int32(i)}
	}
	slices.SortFunc(
		order,
		func(a, b placed) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place)) },
	)
	sorted := make([]Z, len(zones))
	for i, p := range order {
		sorted[i] = zones[p.place]
	}
	copy(zones, sorted)
}
