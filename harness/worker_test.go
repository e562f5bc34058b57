package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
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
	w := &tap{Writer: &out, see: func(line []byte) { lines = append(lines, string(line)) }}
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

// scripted is a workload whose calls and answers a test makes up.
type scripted struct {
	next   func(t Turn) Call
	invoke func(ctx context.Context, call Call) (Answer, error)
}

func (s scripted) Next(_ *rand.Rand, t Turn) Call { return s.next(t) }
func (s scripted) Needs() []Capability            { return nil }

func (s scripted) Invoke(ctx context.Context, _ Client, call Call) (Answer, error) {
	return s.invoke(ctx, call)
}

type noClient struct{ Target }

func (noClient) Dial(context.Context, Node) (Client, error) { return noClient{}, nil }
func (noClient) Close() error                               { return nil }

// A worker knows what became of its last call, a call has a time of its own, what an answer tells survives an error,
// and a refusal is recorded by its reason.
func TestAWorkersCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		start := time.Now()
		var lasts []*Outcome
		r := &run{
			Test:    &Test{Target: noClient{}, OpTimeout: time.Second, Clients: 1, Nodes: 1},
			log:     history.NewLog(&file, func() time.Duration { return time.Since(start) }),
			cluster: &Cluster{names: []string{"n1"}, members: map[string]*member{"n1": {}}},
		}
		r.Workload = scripted{
			next: func(turn Turn) Call {
				lasts = append(lasts, turn.Last)
				return Call{F: "lock", Key: "k", Timeout: []time.Duration{0, 5 * time.Second, 0}[turn.Seq%3]}
			},
			invoke: func(ctx context.Context, call Call) (Answer, error) {
				part := Answer{Value: json.RawMessage(`["half"]`)}
				if call.Timeout > 0 {
					<-ctx.Done()
					return part, ctx.Err()
				}
				return Answer{Value: json.RawMessage(`"n2"`)}, Refusal{Reason: "held"}
			},
		}
		w := newWorker(r, 0, 0)
		loading, stop := context.WithTimeout(t.Context(), 8*time.Second)
		defer stop()
		w.work(loading, t.Context())
		h, _, err := history.Read(&file, "history")
		require.NoError(t, err)
		require.Nil(t, lasts[0])
		require.Equal(t, history.Fail, lasts[1].Kind)
		require.Equal(t, history.Info, lasts[2].Kind)
		require.JSONEq(t, `["half"]`, string(lasts[2].Answer.Value))
		refused, doubt := h.Event(1), h.Event(3)
		require.Equal(t, "held", refused.Err)
		require.JSONEq(t, `"n2"`, string(refused.Value))
		require.Equal(t, history.Info, doubt.Kind)
		require.JSONEq(t, `["half"]`, string(doubt.Value))
		require.Equal(t, 5*time.Second, doubt.At-h.Event(2).At, "a time of its own")
	})
}
