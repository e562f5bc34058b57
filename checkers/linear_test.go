package checkers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers/referee"
	"github.com/sunder-dev/sunder/checkers/register"
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
			if len(c.calls) > 0 { // a verdict of valid wants something that was read back
				c.calls = append(c.calls, wrote("other", 1, 0, 1), read("other", "1", 2, 3))
			}
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
	// Writes and compare-and-sets of few values, all at once, and reads of them: nothing but trying helps.
	var calls []call
	for i := range 24 {
		calls = append(calls, swapped("k", i%3, (i+1)%3, 0, 1000), wrote("k", i%3, 0, 1000))
	}
	for i := range 30 {
		calls = append(calls, read("k", fmt.Sprint(i%3), 2000+i*10, 2000+i*10+5))
	}
	h := historyOf(t, calls...)
	r := linear{Options: Options{Memory: 1 << 40, Engine: register.Auto}}.Check(t.Context(), h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "1 of 1 key are undecided: key k (78 operations, engine auto: out of its time budget)")

	r = linear{Options: Options{Time: time.Hour, Memory: 1, Engine: register.Auto}}.Check(t.Context(), h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "out of its memory budget")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = linear{Options: Defaults()}.Check(ctx, h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "interrupted")
}

func TestLinearRefusesWhatItDoesNotKnow(t *testing.T) {
	r := check(t, "linear", historyOf(t, call{f: "append", key: "k", ask: "1", start: 0, end: 1, kind: history.OK}))
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, `a register has no operation append`)
	for _, number := range []string{"10e2147483647", "1e3000000000", "-1.5E-1000001", `[{"a":1e1000001}]`} {
		h := historyOf(t, call{f: "write", key: "k", ask: number, start: 0, end: 1, kind: history.OK})
		r := check(t, "linear", h)
		require.Equal(t, Unknown, r.Verdict)
		require.Contains(t, r.Why, "has a number with an exponent beyond a million")
	}
	r = check(t, "linear", historyOf(t, call{f: "write", key: "k", ask: "10e999999", start: 0, end: 1, kind: history.OK},
		call{f: "read", key: "k", tell: "1e1000000", start: 2, end: 3, kind: history.OK}))
	require.Equal(t, Valid, r.Verdict, r.Why)
}

// The histories in testdata keep their verdicts. Their names begin with them.
func TestKnownHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		h, _, err := history.ReadFile(path)
		require.NoError(t, err)
		results, err := Default().Run(t.Context(), h, ForHistory(h), Defaults())
		require.NoError(t, err)
		want, _, _ := strings.Cut(filepath.Base(path), "-")
		require.Equal(t, want, Worst(results).String(), path)
	}
}

// What an operation means, and what it does not.
func TestRegisters(t *testing.T) {
	stamped := func(c call, version uint64) call { c.version = version; return c }
	h := historyOf(t,
		stamped(wrote("k", 1, 0, 1), 7), read("k", "null", 2, 3), stamped(read("k", "1", 4, 5), 7),
		call{f: "delete", key: "k", start: 6, end: 7, kind: history.OK},
		stamped(inDoubt(wrote("k", 2, 8, 9)), 9), failed(wrote("k", 3, 10, 11)), failed(read("k", "1", 12, 13)), inDoubt(read("k", "1", 14, 15)),
		stamped(found(swapped("k", 1, 4, 16, 17), "2"), 9), mismatched(swapped("k", 1, 5, 18, 19)), read("j", "1", 20, 21))
	keys, err := registers(h, nil, "")
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Equal(t, "k", keys[0].name)
	at := func(n int) int64 { return int64(ms(n)) }
	for i := range keys[0].ops {
		keys[0].ops[i].ID = 0
	}
	require.Equal(t, []register.Op{
		{Action: register.Write, Value: 1, Call: at(0), Return: at(1), Version: 7},
		{Action: register.Read, Call: at(2), Return: at(3)},
		{Action: register.Read, Value: 1, Call: at(4), Return: at(5), Version: 7},
		{Action: register.Write, Call: at(6), Return: at(7)},
		{Action: register.Write, Value: 2, Call: at(8), Return: register.Never},
		{Action: register.Read, Value: 2, Call: at(16), Return: at(17), Version: 9},
		{Action: register.Differ, Old: 1, Call: at(18), Return: at(19)},
	}, keys[0].ops)
}

// Values that are the same have the same number, however another tool writes them.
func TestValuesAreComparedByWhatTheyAre(t *testing.T) {
	var v values
	var different []string
	for _, same := range [][]string{
		{"null", ""}, {"1"}, {"-1"}, {`"a"`, `"\u0061"`}, {`"a<b>&"`, `"a\u003cb\u003e\u0026"`}, {"\"\u2028\"", `"\u2028"`}, {"\"\U0001F600\"", `"\ud83d\ude00"`}, {`"\ud800"`}, {`"\ud801"`}, {`[1,2]`, `[1, 2]`, "[ 1,2]"}, {`{"a":1,"b":"/"}`, `{"b": "\/", "a":1}`}, {`[9007199254740993]`}, {`[9007199254740992]`},
		{"\"\ufffd\"", `"\ufffd"`, `"\uFFFD"`}, {`{"a":"\ufffd","b":2}`, "{\"b\":2,\"a\":\"\ufffd\"}"}, {`"\ud800\ud800"`}, {`"\ud800x"`}, {`"\\ud800"`}, {`"\ud83dx\ude00"`},
		{"2", "2.0", "2e0", "20e-1", "0.2E1", "2.00e+0"}, {"-2", "-2.0"}, {"0", "-0", "0.0", "0e9"}, {"1e30", "1000000000000000000000000000000", "10e29"}, {"0.1", "1e-1", "0.10"},
		{"1e99999999999"}, {"2e99999999999"}, {"true"}, {"false"}, {`"true"`}, {`"2"`}, {"[]"}, {"{}"}, {`[null]`}, {`[[1,2.0]]`, `[[1,2]]`}, {`{"a":null}`},
		{"123456789012345678"}, {"1234567890123456789", "12345678901234567890e-1"},
	} {
		n := len(v.known)
		first := v.id(valueOf(same[0]))
		if same[0] != "null" {
			require.EqualValues(t, max(n, 1), first, "%s is new", same[0])
		}
		for _, other := range same {
			require.Equal(t, first, v.id(valueOf(other)), "%s and %s", same[0], other)
			require.True(t, referee.SameJSON(json.RawMessage(same[0]), json.RawMessage(other)), "%s and %s, by the referee", same[0], other)
		}
		for _, before := range different {
			require.False(t, referee.SameJSON(json.RawMessage(before), json.RawMessage(same[0])), "%s and %s, by the referee", before, same[0])
		}
		different = append(different, same[0])
	}
	for i := range 1000 {
		first := v.id(valueOf(fmt.Sprintf(`"v%d"`, i)))
		require.Equal(t, first, v.id(valueOf(fmt.Sprintf(`"v%d"`, i))))
	}
}

func valueOf(text string) history.Value { return history.ValueOf(json.RawMessage(text)) }

// Versions show what values cannot.
func TestLinearByVersion(t *testing.T) {
	stamped := func(c call, version uint64) call { c.version = version; return c }
	calls := []call{stamped(wrote("k", 1, 0, 1), 8), stamped(wrote("k", 2, 2, 3), 7), wrote("j", 1, 0, 1), read("j", "1", 2, 3)}
	r := check(t, "linear", historyOf(t, calls...))
	require.Equal(t, Invalid, r.Verdict)
	require.Contains(t, r.Why, "key k contradicts its versions (by its values alone it is linearizable): no order of 2 operations explains write 2 at version 7")
	line, err := unmarshalTimeline(r.Attach[0])
	require.NoError(t, err)
	require.True(t, line.ByVersion)
	require.True(t, line.Confirmed)
	require.Equal(t, "versioned", line.Engine)

	calls[1].version = 9
	r = check(t, "linear", historyOf(t, calls...))
	require.Equal(t, Valid, r.Verdict)
	require.Contains(t, r.Why, "4 operations on 2 keys are linearizable (1 by engine unique, 1 by engine versioned)")
}

// Each engine says the same, and auto says which one it took.
func TestLinearEngines(t *testing.T) {
	calls := []call{wrote("a", 1, 0, 1), read("a", "1", 2, 3), wrote("b", 1, 0, 1), wrote("b", 1, 2, 3), read("b", "1", 4, 5)}
	for engine, want := range map[register.Engine]string{
		register.Auto: "5 operations on 2 keys are linearizable (1 by engine unique, 1 by engine compact)", register.Compact: "by engine compact",
		register.Porcupine: "by engine porcupine", register.Unique: "1 of 2 keys are undecided: key b (3 operations, engine unique: a value is written twice",
	} {
		o := Defaults()
		o.Engine = engine
		require.Contains(t, linear{Options: o}.Check(t.Context(), historyOf(t, calls...)).Why, want)
		if engine != register.Unique {
			r := linear{Options: o}.Check(t.Context(), historyOf(t, append(calls, read("b", "null", 6, 7))...))
			require.Equal(t, Invalid, r.Verdict, engine)
		}
	}
}

// What proves nothing is no pass.
func TestLinearOfNothing(t *testing.T) {
	for why, calls := range map[string][]call{
		"nothing was written, so that 2 operations proved nothing":      {read("k", "null", 0, 1), read("k", "null", 2, 3)},
		"no value that was written was ever read back":                  {wrote("k", 1, 0, 1), wrote("k", 2, 2, 3)},
		"no value that was written was ever read back, so that 2 opera": {wrote("k", 1, 0, 1), read("j", "null", 2, 3)},
	} {
		r := check(t, "linear", historyOf(t, calls...))
		require.Equal(t, Unknown, r.Verdict)
		require.Contains(t, r.Why, why)
	}
}

// A mistake of an engine is not confirmed by itself: neither an order that is none, nor a proof that is none.
func TestMistakesOfEnginesShow(t *testing.T) {
	h := historyOf(t, wrote("k", 1, 0, 1), wrote("k", 2, 2, 3), read("k", "2", 4, 5), inDoubt(wrote("k", 3, 6, 7)), failed(wrote("k", 4, 8, 9)))
	keys, err := registers(h, nil, "")
	require.NoError(t, err)
	w := newWitness(h, history.Value{})
	require.NoError(t, w.replays(keys[0], []uint32{0, 1, 2}))
	require.NoError(t, w.replays(keys[0], []uint32{0, 1, 2, 3}))
	for why, order := range map[string][]uint32{
		"would not have answered operation 2": {1, 2, 0}, "has no place": {0, 1}, "had ended when one before it began": {1, 0, 2}, "comes twice": {0, 1, 1, 2},
	} {
		if why == "would not have answered operation 2" {
			order = []uint32{0, 2, 1}
		}
		require.ErrorContains(t, w.replays(keys[0], order), why, order)
	}
	k := *keys[0]
	k.ops = k.ops[:2] // the read was lost
	require.ErrorContains(t, w.replays(&k, []uint32{0, 1}), "3 operations were recorded, and 2 were looked at")

	require.Equal(t, porcupine.Ok, w.judge(t.Context(), register.Proof{Ops: keys[0].ops}))
	stale := historyOf(t, wrote("k", 1, 0, 1), wrote("k", 2, 2, 3), read("k", "1", 4, 5))
	keys, err = registers(stale, nil, "")
	require.NoError(t, err)
	require.Equal(t, porcupine.Illegal, newWitness(stale, history.Value{}).judge(t.Context(), register.Proof{Ops: keys[0].ops}))
}

// A timeline in text shows what overlaps, and which operation is to blame.
func TestTimelineText(t *testing.T) {
	r := check(t, "linear", historyOf(t, wrote("k", 1, 0, 1), read("k", "1", 0, 1), inDoubt(wrote("k", 2, 2, 3)), read("k", "2", 3, 4), read("k", "1", 4, 7)))
	require.Equal(t, Valid, r.Verdict)
	r = check(t, "linear", historyOf(t, wrote("k", 1, 0, 1), read("k", "1", 0, 1), inDoubt(wrote("k", 2, 2, 3)), read("k", "2", 3, 4), read("k", "1", 5, 7)))
	line, err := unmarshalTimeline(r.Attach[0])
	require.NoError(t, err)
	require.Equal(t, `key k: 4 of its 5 operations, which no order explains (engine unique)
1 |---|                      write 1    process 0    n1   0.000 s .. 0.001 s
2         |--------------->  write 2    process 2    n1   0.002 s .. in doubt
3             |---|          read -> 2  process 3    n1   0.003 s .. 0.004 s
!                     |---|  read -> 1  process 4    n1   0.005 s .. 0.007 s
The numbers are an order that explains the others.
In place of read -> 1 it would have been legal to find 2.
`, line.Text())
	require.Equal(t, []string{"read -> 1"}, texts(line.Near))
}

func texts(ops []TimelineOp) (list []string) {
	for _, o := range ops {
		list = append(list, o.Text)
	}
	return list
}

// The neighbours of a culprit are those that were called nearest to it.
func TestTimelineNeighbours(t *testing.T) {
	var calls []call
	for i := range 100 {
		calls = append(calls, wrote("k", i, 10*i, 10*i+1))
	}
	calls = append(calls, read("k", "7", 705, 706), wrote("other", 1, 704, 705))
	r := check(t, "linear", historyOf(t, calls...))
	line, err := unmarshalTimeline(r.Attach[0])
	require.NoError(t, err)
	require.Equal(t, []string{"70"}, line.Legal)
	near := texts(line.Near)
	require.Len(t, near, maxNear)
	require.Equal(t, "write 51", near[0])
	require.Equal(t, "write 90", near[maxNear-1])
	for _, shown := range line.Ops {
		require.NotContains(t, near, shown.Text)
	}
}

// What is found on one key is told whatever becomes of another, and versions do not hide what there was no time to
// name.
func TestLinearTellsWhatItFound(t *testing.T) {
	stamped := func(c call, version uint64) call { c.version = version; return c }
	calls := []call{stamped(wrote("x", 7, 0, 1), 9), stamped(wrote("x", 8, 2, 3), 8), wrote("y", 1, 0, 1), read("y", "null", 2, 3)}
	for i := range 150 { // so much at once that a search for the values alone gives up at first
		calls = append(calls, wrote("x", 10+i%5, 4+i/25, 9+i/25), read("x", fmt.Sprint(10+i%5), 4+i/25, 9+i/25))
	}
	r := check(t, "linear", historyOf(t, calls...))
	require.Equal(t, Invalid, r.Verdict, r.Why)
	require.Contains(t, r.Why, "1 more of 2 keys")
	require.NotContains(t, r.Why, "mistake")
}

// If nothing is known to have happened, nothing was tested.
func TestLinearOfDoubtsAlone(t *testing.T) {
	r := check(t, "linear", historyOf(t, inDoubt(wrote("k", 1, 0, 1)), inDoubt(swapped("k", 1, 2, 0, 1))))
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "nothing was seen")
}

// A timeline that somebody else wrote may be empty.
func TestTimelineOfNothing(t *testing.T) {
	require.Equal(t, "key k: nothing is left of its 3 operations\n", Timeline{Key: "k", Whole: 3}.Text())
}

func BenchmarkLinear(b *testing.B) {
	var calls []call
	for i := range 20_000 {
		key := fmt.Sprint("k", i/200)
		calls = append(calls, wrote(key, i, 2*i, 2*i+7), read(key, fmt.Sprint(i), 2*i+8, 2*i+9))
	}
	h := historyOf(b, calls...)
	for b.Loop() {
		require.NotEqual(b, Unknown, linear{Options: Defaults()}.Check(b.Context(), h).Verdict)
	}
	b.ReportMetric(40_000*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkFileToVerdict reads and checks a million operations of 50 clients on one key, 1 % of the writes in doubt.
func BenchmarkFileToVerdict(b *testing.B) {
	path := filepath.Join(b.TempDir(), "history.jsonl")
	file, err := os.Create(path)
	require.NoError(b, err)
	w := bufio.NewWriter(file)
	var now time.Duration
	log := history.NewLog(w, func() time.Duration { now += 137 * time.Microsecond; return now })
	const clients, rounds = 50, 20_000
	next := clients
	process := make([]int, clients)
	for i := range process {
		process[i] = i
	}
	// All calls of a round overlap: every other client writes a value of its own, which its neighbour reads.
	for round := range rounds {
		for _, kind := range []history.Kind{history.Invoke, history.OK} {
			for c := range clients {
				e := history.Event{Process: process[c], Kind: kind, F: "write", Node: "n1", Key: "k", Value: fmt.Appendf(nil, "%d", round*clients+c&^1+1)}
				if c%2 == 1 {
					if e.F = "read"; kind == history.Invoke {
						e.Value = nil
					}
				} else if kind == history.OK && (round*clients+c)%200 == 0 {
					e.Kind, e.Value, process[c] = history.Info, nil, next
					next++
				}
				log.Append(e)
			}
		}
	}
	require.NoError(b, errors.Join(log.Err(), w.Flush(), file.Close()))
	b.ResetTimer()
	for b.Loop() {
		h, _, err := history.ReadFile(path)
		require.NoError(b, err)
		r := linear{Options: Defaults()}.Check(b.Context(), h)
		require.Equal(b, Valid, r.Verdict, r.Why)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/1e6ops")
}

// Operations of other models are passed over if that is asked for, and only on keys of their own: what they do to a
// register, a register cannot know.
func TestLinearOfOneModel(t *testing.T) {
	appended := func(key string) *history.History {
		return historyOf(t, wrote("a", 1, 0, 1), read("a", "1", 2, 3),
			call{f: "append", key: key, ask: "3", tell: "3", start: 4, end: 5, kind: history.OK})
	}
	for _, c := range []struct {
		key, model string
		want       Verdict
		why        string
	}{
		{"list", "", Unknown, `a register has no operation append`},
		{"list", modelRegister, Valid, "2 operations on 1 key are linearizable"},
		{"a", modelRegister, Unknown, `a register has no operation append`},
	} {
		r := linear{Options: Defaults(), model: c.model}.Check(t.Context(), appended(c.key))
		require.Equal(t, c.want, r.Verdict, r.Why)
		require.Contains(t, r.Why, c.why)
	}
}
