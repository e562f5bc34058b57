package referee

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

var numbers = Register[int]{Same: func(a, b int) bool { return a == b }}

func step(call, ret int64, action Action, old, new int) Step[int] {
	return Step[int]{Call: call, Return: ret, Action: action, Old: old, New: new}
}

func version(s Step[int], n uint64) Step[int] { s.Version = n; return s }

// An order is taken if it explains all, and for every way in which it may not there is one that is refused.
func TestReplay(t *testing.T) {
	steps := []Step[int]{
		step(0, 10, Write, 0, 1), step(5, 15, Read, 1, 0), step(12, 20, Swap, 1, 2), step(13, Never, Write, 0, 9), step(21, 30, Differ, 1, 0), step(21, 30, Read, 2, 0),
	}
	replay := func(order ...uint32) error {
		return numbers.Replay(len(steps), func(i int) Step[int] { return steps[i] }, order)
	}
	require.NoError(t, replay(0, 1, 2, 4, 5))
	require.NoError(t, replay(0, 1, 2, 5, 4, 3), "a doubt may come last")
	for want, order := range map[string][]uint32{
		"would not have answered operation 1": {1, 0, 2, 4, 5}, "would not have answered operation 5": {0, 1, 2, 3, 4, 5}, "comes twice": {0, 0, 1, 2, 4, 5},
		"is not one of 6": {0, 1, 2, 4, 6}, "operation 5 has no place": {0, 1, 2, 4}, "had ended when one before it began": {0, 4, 1, 2, 5},
	} {
		if want == "had ended when one before it began" {
			steps[4] = step(21, 30, Read, 1, 0)
		}
		require.ErrorContains(t, replay(order...), want)
		steps[4] = step(21, 30, Differ, 1, 0)
	}
	steps[1].Return = 4 // before it is called, so that it cannot come after anything
	require.ErrorContains(t, replay(0, 1, 2, 4, 5), "had ended when one before it began")
}

// Versions grow with what is written, and are those of what is read.
func TestReplayOfVersions(t *testing.T) {
	for _, c := range []struct {
		legal bool
		steps []Step[int]
	}{
		{true, []Step[int]{version(step(0, 9, Write, 0, 1), 5), version(step(0, 9, Read, 1, 0), 5), step(0, 9, Write, 0, 2), version(step(0, 9, Read, 2, 0), 7), version(step(0, 9, Swap, 2, 3), 8)}},
		{false, []Step[int]{version(step(0, 9, Write, 0, 1), 5), version(step(0, 9, Read, 1, 0), 6)}},
		{false, []Step[int]{version(step(0, 9, Write, 0, 1), 5), version(step(0, 9, Write, 0, 1), 5)}},
		{false, []Step[int]{version(step(0, 9, Write, 0, 1), 5), step(0, 9, Write, 0, 2), version(step(0, 9, Read, 2, 0), 5)}},
		{false, []Step[int]{step(0, 9, Write, 0, 1), version(step(0, 9, Read, 1, 0), 6), version(step(0, 9, Read, 1, 0), 7)}},
	} {
		order := make([]uint32, len(c.steps))
		for i := range order {
			order[i] = uint32(i)
		}
		err := numbers.Replay(len(c.steps), func(i int) Step[int] { return c.steps[i] }, order)
		require.Equal(t, c.legal, err == nil, "%v: %v", c.steps, err)
	}
}

func TestSearch(t *testing.T) {
	stale := []Step[int]{step(0, 1, Write, 0, 1), step(2, 3, Write, 0, 2), step(4, 5, Read, 1, 0)}
	require.Equal(t, porcupine.Illegal, numbers.Search(t.Context(), stale))
	require.Equal(t, porcupine.Ok, numbers.Search(t.Context(), append(stale[:2:2], step(4, 5, Read, 2, 0), step(6, Never, Swap, 7, 8))))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, porcupine.Unknown, numbers.Search(ctx, stale))
}

func TestSameJSON(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"1", "1", true}, {"1", "2", false}, {"1", "1.0", true}, {"1e2", "100", true}, {"0", "-0", true}, {"1", `"1"`, false}, {"", "null", true}, {"null", "0", false},
		{`"a"`, `"\u0061"`, true}, {`"\ufffd"`, "\"\ufffd\"", true}, {`"\ud800"`, `"\ufffd"`, false}, {`"\ud800"`, `"\ud801"`, false}, {`"\uD800"`, `"\ud800"`, true},
		{`"\ud83d\ude00"`, "\"\U0001F600\"", true}, {`{"a":1,"b":2}`, `{"b":2.0,"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":null}`, false}, {"[1,2]", "[ 1, 2 ]", true}, {"[1]", "[1,1]", false},
		{"true", "false", false}, {"{", "{ ", false}, {"1e99999999999", "1e99999999998", false}, {"[null]", "[]", false},
	} {
		require.Equal(t, c.same, SameJSON(json.RawMessage(c.a), json.RawMessage(c.b)), "%s and %s", c.a, c.b)
		require.Equal(t, c.same, SameJSON(json.RawMessage(c.b), json.RawMessage(c.a)), "%s and %s", c.b, c.a)
	}
}
