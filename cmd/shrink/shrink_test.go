package shrink

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child/childtest"
)

func TestSmallerRuns(t *testing.T) {
	var got []string
	for _, flags := range smallerRuns(map[string]string{"nemesis": "partition+kill@one=1s/1s", "time-limit": "10s", "nodes": "5", "clients": "10", "keys": "1", "bug": "x"}, 1300*time.Millisecond) {
		got = append(got, Command(flags))
	}
	require.Equal(t, []string{
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=2s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=none --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=kill@one=1s/1s --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition --nodes=5 --time-limit=10s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=5s",
		"sunder run --bug=x --clients=10 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=3 --time-limit=10s",
		"sunder run --bug=x --clients=5 --keys=1 --nemesis=partition+kill@one=1s/1s --nodes=5 --time-limit=10s",
	}, got)
	require.Len(t, smallerRuns(map[string]string{"nemesis": "mix", "time-limit": "2s", "nodes": "3"}, 0), 4)
	require.Empty(t, smallerRuns(map[string]string{"nemesis": "none", "time-limit": "2s", "nodes": "3", "clients": "1", "keys": "1"}, time.Second))
}

// Runs that come to no verdict say nothing about what is smaller, and a try that was not made is not counted.
func TestShrinkIsHonest(t *testing.T) {
	broken := childtest.Shim(t, "echo 'no engine' >&2; exit 255")
	s := Shrinker{Tries: 3, Need: 2, Out: t.TempDir(), Program: broken, Say: t.Logf}
	flags := map[string]string{"nemesis": "none", "time-limit": "2s", "nodes": "3", "clients": "2", "keys": "1"}
	_, err := s.Shrink(t.Context(), flags, 0)
	require.ErrorContains(t, err, "no run came to a verdict, so that nothing is known: exit code 255: no engine")
	got, err := s.try(t.Context(), flags)
	require.NoError(t, err)
	require.Equal(t, "0 of 2 tries (2 came to no verdict)", got.String(), "the third could not have made two of them invalid")

	s.Program = childtest.Shim(t, "exit 254")
	got, err = s.try(t.Context(), flags)
	require.NoError(t, err)
	require.Equal(t, 1, got.Made, "it is no run at all")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	smallest, err := s.Shrink(ctx, flags, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, flags, smallest.Flags)
}
