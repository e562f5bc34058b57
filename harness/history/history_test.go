package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ticks is a clock that advances by one millisecond at each look.
func ticks() func() time.Duration {
	var now time.Duration
	return func() time.Duration { now += time.Millisecond; return now }
}

func read(t *testing.T, text string) (*History, string, error) {
	t.Helper()
	return Read(strings.NewReader(text), "h.jsonl")
}

func TestLogAndReadAgree(t *testing.T) {
	events := []Event{
		{Process: Controller, Kind: Note, F: FTest, Value: json.RawMessage(`{"version":1,"target":"raft","checkers":["linear"]}`)},
		{Process: 0, Kind: Invoke, F: "write", Node: "n1", Key: "k1", Value: json.RawMessage(`3`)},
		{Process: 1, Kind: Invoke, F: "cas", Node: "n2", Key: "k \"1\"\n</script>", Value: json.RawMessage(`[3,4]`)},
		{Process: 1, Kind: Fail, F: "cas", Node: "n2", Key: "k \"1\"\n</script>", Err: Mismatch},
		{Process: Nemesis, Kind: Invoke, F: "kill", Value: json.RawMessage(`{"id":0,"fault":{"nodes":["n1"]}}`)},
		{Process: 0, Kind: Info, F: "write", Node: "n1", Key: "k1", Err: "überfällig"},
		{Process: 2, Kind: Invoke, F: "read", Node: "n1", Key: "k1"},
		{Process: 2, Kind: OK, F: "read", Node: "n1", Key: "k1", Value: json.RawMessage(`3`), Stamp: Stamp{Version: 7, Revision: 9, Term: 2}},
		{Process: Observer, Kind: Note, F: FClaim, Node: "n2", Value: json.RawMessage(`{"term":7,"source":"log"}`)},
	}
	var file bytes.Buffer
	log := NewLog(&file, ticks())
	for i := range events {
		events[i] = log.Append(events[i])
	}
	require.NoError(t, log.Err())

	h, warning, err := Read(&file, "h.jsonl")
	require.NoError(t, err)
	require.Empty(t, warning)
	require.Equal(t, len(events), h.Len())
	for i, want := range events {
		require.Equal(t, want, h.Event(i))
	}

	var ops []Op
	for op := range h.Ops() {
		ops = append(ops, op)
	}
	require.Len(t, ops, 3)
	require.Equal(t, Never, ops[0].Return.At, "an info has no end")
	require.Equal(t, Fail, ops[1].Return.Kind)
	require.Equal(t, Stamp{Version: 7, Revision: 9, Term: 2}, ops[2].Return.Stamp)

	require.Equal(t, []Said[Claim]{{Index: 8, At: 9 * time.Millisecond, Node: "n2", What: Claim{Term: 7, Source: "log"}}}, h.Notes().Claims)
	test, ok := h.Test()
	require.True(t, ok)
	require.Equal(t, "raft", test.Target)
}

func TestReadRefuses(t *testing.T) {
	const ok = `{"index":0,"at":5,"process":0,"kind":"invoke","f":"read","key":"k"}` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"not json":           {"hello\n" + ok, "h.jsonl:1: not a history event: a line is one JSON object"},
		"unknown field":      {`{"at":1,"proces":0}` + "\n" + ok, `h.jsonl:1: not a history event: unknown field "proces"`},
		"field twice":        {`{"at":1,"at":2}` + "\n", `field "at" comes twice`},
		"missing field":      {`{"at":1,"kind":"note","f":"x"}` + "\n" + ok, `field "process" is missing`},
		"bad kind":           {`{"at":1,"process":0,"kind":"okay","f":"x"}` + "\n" + ok, `"okay" is none of invoke, ok, fail, info, note`},
		"fraction":           {`{"at":1.5,"process":0,"kind":"ok","f":"x"}` + "\n" + ok, `field "at": expected an integer`},
		"bad value":          {`{"at":1,"process":0,"kind":"invoke","f":"x","value":{]}}` + "\n" + ok, `field "value"`},
		"value with a zero":  {`{"at":1,"process":0,"kind":"invoke","f":"x","value":012}` + "\n" + ok, `"012" is not JSON`},
		"bad string":         {`{"at":1,"process":0,"kind":"invoke","f":"\q"}` + "\n" + ok, `field "f"`},
		"trailing":           {`{"at":1,"process":0,"kind":"invoke","f":"x"} x` + "\n" + ok, `more after the closing brace`},
		"empty line":         {ok + "\n" + ok, "h.jsonl:2: not a history event: the line is empty"},
		"gap in the index":   {ok + `{"index":2,"at":6,"process":0,"kind":"ok","f":"read"}` + "\n", "h.jsonl:2: not a history event: index 2 where 1 is due"},
		"time backwards":     {ok + `{"at":4,"process":0,"kind":"ok","f":"read"}` + "\n", "h.jsonl:2: time runs backwards"},
		"two open calls":     {ok + strings.Replace(ok, `"index":0`, `"index":1`, 1), "calls while its call at index 0 is open"},
		"completion alone":   {`{"at":1,"process":0,"kind":"ok","f":"x"}` + "\n" + ok, "completes (ok) without an open call"},
		"another operation":  {ok + `{"at":6,"process":0,"kind":"ok","f":"write"}` + "\n", "completes another operation"},
		"another key":        {ok + `{"at":6,"process":0,"kind":"ok","f":"read","key":"j"}` + "\n", "completes another operation"},
		"retired process":    {ok + `{"at":6,"process":0,"kind":"info","f":"read"}` + "\n" + `{"at":7,"process":0,"kind":"invoke","f":"read"}` + "\n", "calls again after an info"},
		"note by a client":   {`{"at":6,"process":0,"kind":"note","f":"read"}` + "\n" + ok, "a note is no client's"},
		"cut in the middle":  {ok[:20] + "\n" + ok, "h.jsonl:1:"},
		"process too low":    {`{"at":6,"process":-9,"kind":"note","f":"read"}` + "\n" + ok, "-9 is not within"},
		"number of no sense": {`{"at":99999999999999999999,"process":1,"kind":"note","f":"read"}` + "\n" + ok, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, err := read(t, c.text)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, h)
		})
	}
}

// A killed controller leaves any prefix of its file. Every prefix must read, and only the cut
// line may be missing.
func TestReadAcceptsEveryPrefix(t *testing.T) {
	var file bytes.Buffer
	log := NewLog(&file, ticks())
	for i := range 5 {
		log.Append(Event{Process: i, Kind: Invoke, F: "write", Node: "n1", Key: "ké", Value: json.RawMessage(`[1, 2]`)})
		log.Append(Event{Process: i, Kind: OK, F: "write", Node: "n1", Key: "ké"})
	}
	text := file.String()
	for n := range len(text) {
		h, warning, err := read(t, text[:n])
		require.NoError(t, err, "prefix of %d bytes", n)
		whole := strings.Count(text[:n], "\n")
		if n > 0 && n < len(text) && text[n] == '\n' {
			whole++ // complete but for its newline
		}
		require.Equal(t, whole, h.Len(), "prefix of %d bytes", n)
		require.Equal(t, n > 0 && text[n-1] != '\n' && text[n] != '\n', warning != "", "prefix of %d bytes", n)
	}
}

// Processes may have any numbers, though small ones are quicker.
func TestProcessesOfAnyNumber(t *testing.T) {
	var h History
	for i := range 3000 {
		for _, p := range []int{i, 1 << 30, 1<<30 - i, 2 * i} {
			if i%2 == 0 && p == 2*i || i == 0 && p == 1<<30 {
				continue
			}
			require.NoError(t, h.Append(Event{Process: p, Kind: Invoke, F: "read", Key: "k"}), "%d", p)
			require.ErrorContains(t, h.Append(Event{Process: p, Kind: Invoke, F: "read", Key: "k"}), "is open")
			require.NoError(t, h.Append(Event{Process: p, Kind: OK, F: "read", Key: "k"}))
		}
	}
	require.ErrorContains(t, h.Append(Event{Process: 5999, Kind: OK, F: "read"}), "without an open call")
}

// Operations and nodes are few, whatever the number of keys.
func TestManyKeys(t *testing.T) {
	var h History
	for i := range 70_000 {
		require.NoError(t, h.Append(Event{Process: i, Kind: Invoke, F: "write", Key: fmt.Sprint("k", i)}))
	}
	require.NoError(t, h.Append(Event{Process: 70_000, Kind: Invoke, F: "read", Node: "n9", Key: "k1"}))
	require.Equal(t, "read", h.Event(70_000).F)
	require.Equal(t, "k1", h.Event(70_000).Key)
}

func TestCompressKeepsTheHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var file bytes.Buffer
	log := NewLog(&file, ticks())
	for i := range 1000 {
		log.Append(Event{Process: i, Kind: Invoke, F: "read", Key: fmt.Sprint("k", i)})
	}
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o644))
	compressed, err := Compress(path)
	require.NoError(t, err)
	require.NoFileExists(t, path)
	h, _, err := ReadFile(compressed)
	require.NoError(t, err)
	require.Equal(t, 1000, h.Len())
	require.Equal(t, "k999", h.Event(999).Key)
}

// Decoding what encoding/json encodes, and the other way round, gives the same event.
func TestCodecAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Event{
			Index: rapid.IntRange(0, 1<<30).Draw(t, "index"), At: time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, "at")),
			Process: rapid.IntRange(Controller, 1<<30).Draw(t, "process"), Kind: Kind(rapid.IntRange(1, int(Note)).Draw(t, "kind")),
			F: rapid.StringN(1, 10, -1).Draw(t, "f"), Node: rapid.String().Draw(t, "node"),
			Key: rapid.String().Draw(t, "key"), Err: rapid.String().Draw(t, "err"),
			Stamp: Stamp{
				Version: rapid.Uint64Max(math.MaxInt64/16).Draw(t, "version"), Revision: rapid.Uint64Max(1000).Draw(t, "revision"),
				Term: rapid.Uint64Max(1000).Draw(t, "term"),
			},
		}
		var value any
		switch rapid.IntRange(0, 3).Draw(t, "value kind") {
		case 0:
			value = rapid.Int().Draw(t, "value")
		case 1:
			value = rapid.SliceOf(rapid.String()).Draw(t, "value")
		case 2:
			value = rapid.MapOf(rapid.String(), rapid.Float64()).Draw(t, "value")
		}
		e.Value, _ = json.Marshal(value)

		line := appendEvent(nil, &e)
		var generic struct {
			Index, At, Process      int64
			Kind, F, Node, Key, Err string
			Value                   json.RawMessage
			Version, Revision, Term uint64
		}
		require.NoError(t, json.Unmarshal(line, &generic))
		require.Equal(t, e.Key, generic.Key)
		require.Equal(t, Stamp{generic.Version, generic.Revision, generic.Term}, e.Stamp)
		require.Equal(t, e.Kind.String(), generic.Kind)

		// What another tool would write: other order, spaces, escapes.
		other, err := json.MarshalIndent(map[string]any{
			"index": e.Index, "at": int64(e.At), "process": e.Process, "kind": e.Kind.String(),
			"f": e.F, "node": e.Node, "key": e.Key, "value": e.Value, "err": e.Err,
			"version": e.Stamp.Version, "revision": e.Stamp.Revision, "term": e.Stamp.Term,
		}, "", "\t")
		require.NoError(t, err)
		var r raw
		require.NoError(t, decodeAny(bytes.ReplaceAll(other, []byte("\n"), []byte(" ")), &r))
		got := eventOf(&r)
		require.JSONEq(t, string(e.Value), string(got.Value))
		got.Value = e.Value
		require.Equal(t, e, got)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"index":0,"at":5,"process":0,"kind":"invoke","f":"read","key":"k","value":[1,{"a":"b\n"}]}`))
	f.Add([]byte(`{"index":3,"at":5,"process":-2,"kind":"note","f":"x","node":"n1","value":{"a":[1]},"err":"no","version":7,"revision":8,"term":9}`))
	f.Add([]byte(`{"index":03,"at":5,"process":1,"kind":"ok","f":"x","value":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var r, short raw
		err := decodeAny(line, &r)
		if decodeOwn(line, &short) {
			require.NoError(t, err, "the short way takes what the long one does not: %q", line)
			short.has = r.has // it does not say what it did not meet
			require.Equal(t, r, short)
		}
		if err != nil {
			return
		}
		require.True(t, json.Valid(line), "accepted what is not JSON: %q", line)
		e := eventOf(&r)
		var again raw
		require.NoError(t, decodeAny(bytes.TrimRight(appendEvent(nil, &e), "\n"), &again))
		require.Equal(t, e, eventOf(&again))
	})
}

func eventOf(r *raw) Event {
	return Event{
		Index: int(r.index), At: time.Duration(r.at), Process: int(r.process), Kind: r.kind, F: string(r.f),
		Node: string(r.node), Key: string(r.key), Value: bytes.Clone(r.value), Err: string(r.err), Stamp: r.stamp,
	}
}

// sample is a history of the given number of operations, as a run would write it.
func sample(ops int) []byte {
	var file bytes.Buffer
	var now time.Duration
	log := NewLog(&file, func() time.Duration { now += 137 * time.Microsecond; return now })
	for i := range ops {
		e := Event{Process: i % 50, F: "write", Node: fmt.Sprint("n", i%5+1), Key: fmt.Sprint("k", i/300), Kind: Invoke}
		switch i % 4 {
		case 0:
			e.Value = fmt.Appendf(nil, "%d", i)
		case 1:
			e.F, e.Value = "cas", fmt.Appendf(nil, "[%d,%d]", i-1, i)
		default:
			e.F = "read"
		}
		log.Append(e)
		e.Kind = OK
		e.Value = fmt.Appendf(nil, "%d", i)
		log.Append(e)
	}
	return file.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	text := sample(100_000)
	for b.Loop() {
		h, _, err := Read(bytes.NewReader(text), "bench")
		require.NoError(b, err)
		require.Equal(b, 200_000, h.Len())
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.SetBytes(int64(len(text)))
}

func BenchmarkDecodeEncodingJSON(b *testing.B) {
	text := sample(20_000)
	for b.Loop() {
		for line := range bytes.Lines(text) {
			var e struct {
				Index, At, Process      int64
				Kind, F, Node, Key, Err string
				Value                   json.RawMessage
			}
			require.NoError(b, json.Unmarshal(line, &e))
		}
	}
	b.ReportMetric(40_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLog writes to a real file, one write a line.
func BenchmarkLog(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "history.jsonl"))
	require.NoError(b, err)
	defer f.Close()
	start := time.Now()
	log := NewLog(f, func() time.Duration { return time.Since(start) })
	e := Event{Process: 7, F: "write", Node: "n1", Key: "k17", Kind: Invoke, Value: json.RawMessage(`12345`)}
	for b.Loop() {
		log.Append(e)
	}
	require.NoError(b, log.Err())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkEncode(b *testing.B) {
	e := Event{Process: 7, F: "write", Node: "n1", Key: "k17", Kind: Invoke, Value: json.RawMessage(`12345`)}
	var line []byte
	for b.Loop() {
		line = appendEvent(line[:0], &e)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMemory measures what a million operations need once read.
func BenchmarkMemory(b *testing.B) {
	text := sample(1_000_000)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		h, _, err := Read(bytes.NewReader(text), "bench")
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB/1e6ops")
		runtime.KeepAlive(h)
	}
}
