package checkers

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestLinear(t *testing.T) {
	for name, c := range map[string]struct {
		calls []call
		want  Verdict
	}{
		"nothing":                  {nil, Unknown},
		"one after another":        {[]call{wrote("k", 1, 0, 1), read("k", "1", 2, 3)}, Valid},
		"absent at first":          {[]call{read("k", "null", 0, 1), wrote("k", 1, 2, 3)}, Valid},
		"stale read":               {[]call{wrote("k", 1, 0, 1), wrote("k", 2, 2, 3), read("k", "1", 4, 5)}, Invalid},
		"concurrent read":          {[]call{wrote("k", 1, 0, 1), wrote("k", 2, 2, 9), read("k", "1", 4, 5)}, Valid},
		"touching is concurrent":   {[]call{wrote("k", 1, 0, 1), wrote("k", 2, 2, 4), read("k", "1", 4, 5)}, Valid},
		"reads go back":            {[]call{wrote("k", 1, 0, 1), wrote("k", 2, 2, 9), read("k", "2", 3, 4), read("k", "1", 5, 6)}, Invalid},
		"never written":            {[]call{wrote("k", 1, 0, 1), read("k", "7", 2, 3)}, Invalid},
		"lost write":               {[]call{wrote("k", 1, 0, 1), read("k", "null", 2, 3)}, Invalid},
		"keys are apart":           {[]call{wrote("a", 1, 0, 1), read("b", "null", 2, 3), read("a", "1", 2, 3)}, Valid},
		"a bad key among good":     {[]call{wrote("a", 1, 0, 1), read("a", "1", 2, 3), wrote("b", 2, 4, 5), read("b", "null", 6, 7)}, Invalid},
		"doubt that took effect":   {[]call{inDoubt(wrote("k", 1, 0, 1)), read("k", "1", 5, 6)}, Valid},
		"doubt that did not":       {[]call{inDoubt(wrote("k", 1, 0, 1)), read("k", "null", 5, 6)}, Valid},
		"doubt that came late":     {[]call{inDoubt(wrote("k", 1, 0, 1)), read("k", "null", 5, 6), read("k", "1", 7, 8)}, Valid},
		"doubt that came and went": {[]call{inDoubt(wrote("k", 1, 0, 1)), read("k", "1", 5, 6), read("k", "null", 7, 8)}, Invalid},
		"doubt twice":              {[]call{inDoubt(wrote("k", 1, 0, 1)), wrote("k", 2, 2, 3), read("k", "1", 4, 5), wrote("k", 3, 6, 7), read("k", "1", 8, 9)}, Invalid},
		"failed write seen":        {[]call{failed(wrote("k", 1, 0, 1)), read("k", "1", 2, 3)}, Invalid},
		"swap":                     {[]call{wrote("k", 1, 0, 1), swapped("k", 1, 2, 2, 3), read("k", "2", 4, 5)}, Valid},
		"swap of another value":    {[]call{wrote("k", 1, 0, 1), swapped("k", 7, 2, 2, 3)}, Invalid},
		"two swaps of one value":   {[]call{wrote("k", 1, 0, 1), swapped("k", 1, 2, 2, 5), swapped("k", 1, 3, 2, 5)}, Invalid},
		"swap in doubt":            {[]call{wrote("k", 1, 0, 1), inDoubt(swapped("k", 1, 2, 2, 3)), read("k", "2", 4, 5)}, Valid},
		"swap in doubt of nothing": {[]call{wrote("k", 1, 0, 1), inDoubt(swapped("k", 7, 2, 2, 3)), read("k", "2", 4, 5)}, Invalid},
		"mismatch":                 {[]call{wrote("k", 1, 0, 1), mismatched(swapped("k", 7, 2, 2, 3))}, Valid},
		"mismatch of what is there": {[]call{wrote("k", 1, 0, 1), mismatched(swapped("k", 1, 2, 2, 3)), read("k", "1", 4, 5)},
			Invalid},
		"mismatch that tells":    {[]call{wrote("k", 1, 0, 1), found(swapped("k", 7, 2, 2, 3), "1")}, Valid},
		"mismatch that lies":     {[]call{wrote("k", 1, 0, 1), found(swapped("k", 7, 2, 2, 3), "9")}, Invalid},
		"mismatch of the same":   {[]call{wrote("k", 1, 0, 1), found(swapped("k", 1, 2, 2, 3), "1")}, Invalid},
		"mismatch that is stale": {[]call{wrote("k", 1, 0, 1), wrote("k", 2, 2, 3), found(swapped("k", 7, 3, 4, 5), "1")}, Invalid},
		// The unobserved write in doubt is what explains the mismatch: it must not be left out.
		"mismatch by a doubt": {[]call{wrote("k", 1, 0, 1), inDoubt(wrote("k", 2, 2, 3)), mismatched(swapped("k", 1, 3, 4, 5))}, Valid},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, "linear", historyOf(t, c.calls...))
			require.Equal(t, c.want, r.Verdict, r.Why)
			require.NotEmpty(t, r.Why)
			require.Equal(t, c.want == Invalid, len(r.Attach) > 0, "every violation has its picture, and nothing else has")
		})
	}
}

// The explanation of a violation in a long history is short, and names what cannot be.
func TestLinearExplains(t *testing.T) {
	var calls []call
	for i := range 200 {
		calls = append(calls, wrote("k", i, 10*i, 10*i+1), read("k", fmt.Sprint(i), 10*i+2, 10*i+3), inDoubt(wrote("k", 1000+i, 10*i+4, 10*i+5)))
	}
	calls = append(calls, read("k", "150", 5000, 5001)) // stale
	r := check(t, "linear", historyOf(t, calls...))
	require.Equal(t, Invalid, r.Verdict)
	line, err := unmarshalTimeline(r.Attach[0])
	require.NoError(t, err)
	require.LessOrEqual(t, len(line.Ops), 4)
	require.Equal(t, 601, line.Whole)
	require.Contains(t, r.Why, "key k is not linearizable: no order of")
	require.Contains(t, r.Why, "read -> 150")
	require.Contains(t, r.Why, "5.000 s to 5.001 s")
	require.Contains(t, line.Text(), "!")
	require.True(t, slices.ContainsFunc(line.Ops, func(o TimelineOp) bool { return o.Culprit && o.Text == "read -> 150" }))
}

func unmarshalTimeline(a Attachment) (t Timeline, err error) {
	return t, json.Unmarshal(a.Data, &t)
}

// Beyond its budget, a check says that it does not know, and of which keys.
func TestLinearKeepsItsBudget(t *testing.T) {
	// Many writes at once, and reads of them in an impossible order: hard for any search. The same value
	// comes twice, so that it is one.
	calls := []call{wrote("k", 0, 0, 1000)}
	for i := range 25 {
		calls = append(calls, wrote("k", i, 0, 1000))
	}
	for i := range 26 {
		calls = append(calls, read("k", fmt.Sprint(i), 2000+i*10, 2000+i*10+5))
	}
	h := historyOf(t, calls...)
	r := linear{Budget{Time: 0, Memory: 1 << 40}}.Check(t.Context(), h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "out of its time budget: 1 of 1 keys are undecided: k (52 operations)")

	r = linear{Budget{Time: time.Hour, Memory: 1}}.Check(t.Context(), h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "out of its memory budget")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = linear{DefaultBudget}.Check(ctx, h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "interrupted")
}

func TestLinearRefusesWhatItDoesNotKnow(t *testing.T) {
	r := check(t, "linear", historyOf(t, call{f: "append", key: "k", ask: "1", start: 0, end: 1, kind: history.OK}))
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, `no operation "append"`)
}

// The histories in testdata keep their verdicts. Their names begin with them.
func TestKnownHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		h, _, err := history.ReadFile(path)
		require.NoError(t, err)
		results, err := Run(t.Context(), h, ForHistory(h), DefaultBudget)
		require.NoError(t, err)
		want, _, _ := strings.Cut(filepath.Base(path), "-")
		require.Equal(t, want, Worst(results).String(), path)
	}
}

// bruteForce tries all orders.
func bruteForce(ops []op, state string) bool {
	if len(ops) == 0 {
		return true
	}
	for i, o := range ops {
		// An operation may come first if none of the others ended before it began.
		if slices.ContainsFunc(ops, func(other op) bool { return other.ret < o.call }) {
			continue
		}
		rest := slices.Concat(ops[:i], ops[i+1:])
		switch {
		case o.ret == history.Never && bruteForce(rest, state): // it never took effect
			return true
		case o.action == reads && o.value == state && bruteForce(rest, state),
			o.action == differ && o.old != state && bruteForce(rest, state),
			o.action == writes && bruteForce(rest, o.value),
			o.action == swaps && o.old == state && bruteForce(rest, o.value):
			return true
		}
	}
	return false
}

// aSmallHistory draws a few overlapping operations on one register.
func aSmallHistory(t *rapid.T) []call {
	unique := rapid.Bool().Draw(t, "unique values")
	var calls []call
	for i := range rapid.IntRange(1, 7).Draw(t, "calls") {
		start := rapid.IntRange(0, 12).Draw(t, "start")
		end := start + rapid.IntRange(0, 6).Draw(t, "length")
		value := i + 1
		if !unique {
			value = rapid.IntRange(1, 3).Draw(t, "value")
		}
		seen := rapid.IntRange(0, 7).Draw(t, "seen")
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0, 1:
			calls = append(calls, wrote("k", value, start, end))
		case 2:
			calls = append(calls, inDoubt(wrote("k", value, start, end)))
		case 3:
			calls = append(calls, swapped("k", seen, value, start, end))
		case 4:
			calls = append(calls, inDoubt(swapped("k", seen, value, start, end)))
		case 5:
			calls = append(calls, mismatched(swapped("k", seen, value, start, end)))
		case 6:
			calls = append(calls, read("k", "null", start, end))
		default:
			calls = append(calls, read("k", fmt.Sprint(seen), start, end))
		}
	}
	return calls
}

// The verdict is the one of trying all orders, and an explanation is illegal by itself.
func TestLinearAgreesWithBruteForce(t *testing.T) {
	verdicts := map[Verdict]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := historyOf(rt, aSmallHistory(rt)...)
		keys, err := registers(h)
		require.NoError(rt, err)
		if len(keys) == 0 {
			return
		}
		want := Invalid
		if bruteForce(keys["k"], absent) {
			want = Valid
		}
		r := linear{DefaultBudget}.Check(context.Background(), h)
		require.Equal(rt, want, r.Verdict, r.Why)
		verdicts[want]++
		if want == Invalid {
			line, err := unmarshalTimeline(r.Attach[0])
			require.NoError(rt, err)
			var part []op
			for _, o := range line.Ops {
				i := slices.IndexFunc(keys["k"], func(k op) bool { return k.event.Call.Index == o.Index })
				part = append(part, keys["k"][i])
			}
			// Calls that had not returned when the last answer came may count as in doubt.
			for i, o := range line.Ops {
				if o.Culprit {
					for j := range part {
						if part[j].ret > part[i].ret {
							part[j].ret = history.Never
						}
					}
				}
			}
			require.False(rt, bruteForce(part, absent), "the explanation is legal:\n%s", line.Text())
		}
	})
	require.NotZero(t, verdicts[Valid])
	require.NotZero(t, verdicts[Invalid])
}

func BenchmarkLinear(b *testing.B) {
	var calls []call
	for i := range 20_000 {
		key := fmt.Sprint("k", i/200)
		calls = append(calls, wrote(key, i, 2*i, 2*i+7), read(key, fmt.Sprint(i), 2*i+8, 2*i+9))
	}
	h := historyOf(b, calls...)
	for b.Loop() {
		require.NotEqual(b, Unknown, linear{DefaultBudget}.Check(b.Context(), h).Verdict)
	}
	b.ReportMetric(40_000*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
