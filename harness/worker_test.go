package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// The line between what failed and what is in doubt. A wrong fail makes a false alarm, a wrong ok
// hides a violation.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err      error
		readOnly bool
		want     history.Kind
	}{
		{nil, false, history.OK},
		{nil, true, history.OK},
		{errors.New("something"), false, history.Info},
		{context.DeadlineExceeded, false, history.Info},
		{errors.New("something"), true, history.Fail},
		{fmt.Errorf("refused: %w", ErrNotApplied), false, history.Fail},
		{Refusal{Reason: history.Mismatch}, false, history.Fail},
	} {
		require.Equal(t, c.want, outcomeOf(Call{ReadOnly: c.readOnly}, c.err), "%v", c.err)
	}
}

// Clients wait longer for a node that goes on refusing, up to a bound.
func TestClientsBackOff(t *testing.T) {
	var all []time.Duration
	for n := range 7 {
		all = append(all, backOff(n))
	}
	const ms = time.Millisecond
	require.Equal(t, []time.Duration{20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 320 * ms, 320 * ms}, all)
	require.Equal(t, 320*ms, backOff(1<<40))
}

func TestTapCutsLines(t *testing.T) {
	var out bytes.Buffer
	var lines []string
	w := &tap{Writer: &out, claim: func(line []byte) { lines = append(lines, string(line)) }}
	for _, part := range []string{"on", "e\ntwo\nthr", "", "ee\n\nunfinished"} {
		n, err := w.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, []string{"one", "two", "three", ""}, lines)
	require.Equal(t, "one\ntwo\nthree\n\nunfinished", out.String())

	// A line without end takes no more memory than is looked at.
	for range 100 {
		_, err := w.Write(bytes.Repeat([]byte("x"), 10_000))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(w.line), maxLogLine)
}
