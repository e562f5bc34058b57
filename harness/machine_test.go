package harness

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestLateness(t *testing.T) {
	var l lateness
	require.Zero(t, l.quantile(0.99))
	for range 985 {
		l.add(90 * time.Microsecond)
	}
	for range 14 {
		l.add(40 * time.Millisecond)
	}
	l.add(3 * time.Second)
	require.Equal(t, 128*time.Microsecond, l.quantile(0.5), "a bound that is a power of two")
	require.Equal(t, 65536*time.Microsecond, l.quantile(0.99))
	require.Equal(t, 3*time.Second, l.quantile(0.9999))
	require.Equal(t, 3*time.Second, l.most)
}

// What this process uses is ours, and what the machine uses beside it is others'.
func TestUsage(t *testing.T) {
	if _, _, ok := machineTicks(); !ok {
		return // not a Linux; then nothing is known, as the next test has it
	}
	u := newUsage(nil)
	before, ok := processTicks(os.Getpid())
	require.True(t, ok)
	for now := before; now < before+10; { // a tenth of a second of work
		now, ok = processTicks(os.Getpid())
		require.True(t, ok)
	}
	u.look()
	var m history.Machine
	u.shares(&m)
	require.Positive(t, m.Ours)
	require.InDelta(t, 1, m.Idle+m.Ours+m.Others, 0.01)
	_, ok = processTicks(-1)
	require.False(t, ok)
}

// nameless is a node of which no process is known.
type nameless struct{ Node }

func TestUsageThatIsNotKnown(t *testing.T) {
	u := newUsage([]Node{nameless{}})
	u.look()
	var m history.Machine
	u.shares(&m)
	require.Zero(t, m)
}
