// Package ddmin makes things smaller that show the same (Zeller and Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input", 2002).
package ddmin

import (
	"context"
	"slices"
)

// Minimize finds a small part of n things, by their numbers from 0 on, that will still do, leaving out ever smaller
// groups of them. All of them do, which is not tried. None of what it returns can be left out alone, unless its
// context ends first.
func Minimize(ctx context.Context, n int, still func(keep []int) bool) []int {
	kept := make([]int, n)
	for i := range kept {
		kept[i] = i
	}
	for size := (n + 1) / 2; size > 0 && ctx.Err() == nil; {
		smaller := false
		for from := 0; from < len(kept) && ctx.Err() == nil; {
			rest := slices.Concat(kept[:from], kept[min(from+size, len(kept)):])
			if still(rest) {
				kept, smaller = rest, true
			} else {
				from += size
			}
		}
		if !smaller || size > len(kept) {
			size /= 2
		}
	}
	return kept
}
