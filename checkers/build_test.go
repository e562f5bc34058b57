package checkers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// call is one operation of a history that a test makes up. Times are in milliseconds; a call in
// doubt has no end.
type call struct {
	f          string
	key        string
	ask, tell  string // values of the invocation and of the answer, as JSON
	start, end int
	kind       history.Kind
	err        string
	version    uint64
}

func wrote(key string, v, start, end int) call {
	return call{f: "write", key: key, ask: fmt.Sprint(v), tell: fmt.Sprint(v), start: start, end: end, kind: history.OK}
}

func read(key string, v string, start, end int) call {
	return call{f: "read", key: key, tell: v, start: start, end: end, kind: history.OK}
}

func swapped(key string, old, v, start, end int) call {
	return call{f: "cas", key: key, ask: fmt.Sprintf("[%d,%d]", old, v), tell: fmt.Sprint(v), start: start, end: end, kind: history.OK}
}

func inDoubt(c call) call { c.kind, c.tell = history.Info, ""; return c }

func mismatched(c call) call { c.kind, c.tell, c.err = history.Fail, "", history.Mismatch; return c }

// found is a mismatch that tells the value.
func found(c call, value string) call { c = mismatched(c); c.tell = value; return c }

func failed(c call) call { c.kind, c.tell, c.err = history.Fail, "", "no"; return c }

// historyOf makes a history of calls, each by a process of its own.
func historyOf(t require.TestingT, calls ...call) *history.History {
	var events []history.Event
	for p, c := range calls {
		e := history.Event{At: ms(c.start), Process: p, Kind: history.Invoke, F: c.f, Node: "n1", Key: c.key, Value: json.RawMessage(c.ask)}
		events = append(events, e)
		e.At, e.Kind, e.Value, e.Err, e.Stamp.Version = ms(c.end), c.kind, json.RawMessage(c.tell), c.err, c.version
		events = append(events, e)
	}
	// Ties: calls before returns, so that what touches is concurrent.
	slices.SortStableFunc(events, func(a, b history.Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Kind, b.Kind))
	})
	h := &history.History{}
	for _, e := range events {
		require.NoError(t, h.Append(e))
	}
	return h
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// observed appends notes of the observer and the controller to a history.
func note(t testing.TB, h *history.History, at, process int, f, node string, value any) {
	if about, ok := value.(history.Test); ok {
		about.Version = 1
		if about.Checkers == nil {
			about.Checkers = []string{"linear"}
		}
		value = about
	}
	v, err := json.Marshal(value)
	require.NoError(t, err)
	require.NoError(t, h.Append(history.Event{At: ms(at), Process: process, Kind: history.Note, F: f, Node: node, Value: v}))
}

// check runs one checker, without what Run adds.
func check(t testing.TB, name string, h *history.History) Result {
	r := guard(t.Context(), name, Default()[name].New(Defaults(), ""), h)
	require.Equal(t, name, r.Checker)
	return r
}
