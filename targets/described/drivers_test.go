package described

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// A driver that ends leaves the call in doubt, and says why. One that has answered is there for the next client; one
// that has not is ended, as it may answer at any time.
func TestTheLivesOfDrivers(t *testing.T) {
	target := driverOf(t, "play")
	first := clientOf(t, target)
	_, _, err := first.Read(t.Context(), "seven")
	require.NoError(t, err)
	require.NoError(t, first.Close())
	second := clientOf(t, target)
	require.Same(t, first, second)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = second.Write(ctx, "silence", "1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, harness.ErrNotApplied)
	require.NoError(t, second.Close())
	require.True(t, second.hasEnded())

	third := clientOf(t, target)
	require.NotSame(t, second, third)
	_, err = third.Write(t.Context(), "end", "1")
	require.ErrorContains(t, err, "the driver of n1 has ended: the end")
	require.NotErrorIs(t, err, harness.ErrNotApplied)
	require.NoError(t, third.Close())
}
