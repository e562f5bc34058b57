package nemesis

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Shapes are of different severity, the lightest first, and each has its figure.
func TestShapesOfPackets(t *testing.T) {
	var last float64
	for _, shape := range lossShapes {
		require.Greater(t, shares[shape].Share, last)
		last = shares[shape].Share
	}
	for _, shape := range shareShapes {
		require.Contains(t, shares, shape)
		require.True(t, slices.Contains(lossShapes, shape))
	}
	require.Greater(t, rates["slow"].BytesPerS, rates["crawl"].BytesPerS)
	require.Greater(t, rates["crawl"].BytesPerS, int64(leastRate))
}
