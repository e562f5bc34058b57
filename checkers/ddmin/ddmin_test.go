package ddmin

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is left shows the same, and none of it can be left out.
func TestMinimize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		n := r.IntN(60)
		var needed []int
		for i := range n {
			if r.IntN(6) == 0 {
				needed = append(needed, i)
			}
		}
		still := func(keep []int) bool {
			for _, i := range needed {
				if !slices.Contains(keep, i) {
					return false
				}
			}
			return true
		}
		got := Minimize(t.Context(), n, still)
		require.ElementsMatch(t, needed, got)
	}
}

// Of two ways to show the same, one is left, however they are tangled.
func TestMinimizeIsLocallyMinimal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		const n = 24
		a, b := r.Perm(n)[:5], r.Perm(n)[:7]
		still := func(keep []int) bool {
			has := func(of []int) bool {
				return !slices.ContainsFunc(of, func(i int) bool { return !slices.Contains(keep, i) })
			}
			return has(a) || has(b)
		}
		got := Minimize(t.Context(), n, still)
		require.True(t, still(got))
		for i := range got {
			require.False(t, still(slices.Concat(got[:i], got[i+1:])))
		}
	}
}

// Without time it returns what it has, which does.
func TestMinimizeWithoutTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	got := Minimize(ctx, 100, func(keep []int) bool {
		if tries++; tries == 1 {
			cancel()
			return slices.Contains(keep, 99)
		}
		return true
	})
	require.Equal(t, 1, tries)
	require.Len(t, got, 50)
}
