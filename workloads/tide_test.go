package workloads

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

func TestTides(t *testing.T) {
	tide, same, other := Tides(7, 40), Tides(7, 40), Tides(8, 40)
	loads, crowds, differs, full, trickle, idle := map[float64]bool{}, map[harness.Crowd]bool{}, false, false, false, false
	for at := time.Duration(0); at < 5*time.Minute; at += 50 * time.Millisecond {
		now := tide(at)
		require.Equal(t, now, same(at))
		differs = differs || now != other(at)
		require.GreaterOrEqual(t, now.Clients, 1)
		require.LessOrEqual(t, now.Clients, 40)
		require.LessOrEqual(t, now.Rate, 5000.0)
		loads[now.Rate] = true
		crowds[now.Crowd] = true
		full, trickle, idle = full || now.Rate == 0, trickle || now.Rate > 2 && now.Rate < 100, idle || now.Rate == 2
	}
	require.True(t, differs && full && trickle && idle)
	require.Greater(t, len(loads), 10)
	require.Len(t, crowds, 3)
	require.Zero(t, tide(0).Crowd)
	require.LessOrEqual(t, Tides(1, 2)(0).Clients, 2)
}
