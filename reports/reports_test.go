package reports

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

var update = flag.Bool("update", false, "write the golden files anew")

// builder makes a history event by event.
type builder struct {
	t  testing.TB
	h  history.History
	at time.Duration
	// step is the time between events.
	step time.Duration
}

func newBuilder(t testing.TB) *builder { return &builder{t: t, step: 10 * time.Millisecond} }

func (b *builder) add(e history.Event) {
	b.t.Helper()
	b.at += b.step
	e.At = b.at
	require.NoError(b.t, b.h.Append(e))
}

func (b *builder) note(process int, f, node string, value any) {
	v, err := json.Marshal(value)
	require.NoError(b.t, err)
	b.add(history.Event{Process: process, Kind: history.Note, F: f, Node: node, Value: v})
}

func (b *builder) op(process int, f, node, key, ask, tell string, kind history.Kind) {
	e := history.Event{Process: process, Kind: history.Invoke, F: f, Node: node, Key: key, Value: json.RawMessage(ask)}
	b.add(e)
	e.Kind, e.Value = kind, json.RawMessage(tell)
	b.add(e)
}

func (b *builder) fault(id int, f, detail string, kind history.Kind, err string) {
	b.add(history.Event{Process: history.Nemesis, Kind: history.Invoke, F: f, Value: fmt.Appendf(nil, `{"id":%d,"fault":%s}`, id, detail)})
	b.add(history.Event{Process: history.Nemesis, Kind: kind, F: f, Value: fmt.Appendf(nil, `{"id":%d,"evidence":{"killed":["n1"]}}`, id), Err: err})
}

func (b *builder) heal(id int) {
	b.add(history.Event{Process: history.Nemesis, Kind: history.Invoke, F: history.FHeal, Value: fmt.Appendf(nil, `{"id":%d}`, id)})
	b.add(history.Event{Process: history.Nemesis, Kind: history.OK, F: history.FHeal, Value: fmt.Appendf(nil, `{"id":%d}`, id)})
}

// aViolation is a run that breaks everything at once. Names may be hostile.
func aViolation(t testing.TB, key, value, node string) *history.History {
	b := newBuilder(t)
	b.note(history.Controller, history.FTest, "", history.Test{
		Version: 1, Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Target: "raft", Fleet: "local", Workload: "register", Nemesis: "kill",
		Seed: 7, Nodes: []string{"n1", node}, Clients: 2, Checkers: []string{"linear", "leader", "stats", "progress"},
		Command: "sunder run --seed 7 " + value, Options: map[string]string{"nodes": "2", "note": value}, Build: map[string]string{"go": "go1.26"},
	})
	b.note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	quoted, err := json.Marshal(value)
	require.NoError(t, err)
	name, err := json.Marshal(node)
	require.NoError(t, err)
	b.op(0, "write", "n1", key, `1`, `1`, history.OK)
	b.fault(0, "kill", `{"nodes":["n1"]}`, history.OK, "")
	b.op(1, "write", node, key, string(quoted), string(quoted), history.OK)
	b.op(2, "write", node, key, `3`, ``, history.Info)
	b.note(history.Observer, history.FClaim, node, history.Claim{Term: 1, Source: "log"})
	b.fault(1, "isolate", `{"node":`+string(name)+`}`, history.Info, value)
	b.op(3, "read", "n1", key, ``, `1`, history.OK)
	b.op(4, "cas", "n1", key, `[1,2]`, ``, history.Fail)
	b.heal(0)
	b.heal(1)
	b.note(history.Controller, history.FPhase, "", history.PhaseEnd)
	return &b.h
}

func render(t testing.TB, h *history.History, trouble string) string {
	results, err := checkers.Default().Run(t.Context(), h, checkers.ForHistory(h), checkers.Defaults())
	require.NoError(t, err)
	for i := range results {
		results[i].Took = 0
	}
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, Run{Dir: dir, History: h, Results: results, Trouble: trouble}.Write())
	page, err := os.ReadFile(filepath.Join(dir, HTMLFile))
	require.NoError(t, err)
	return string(page)
}

// The page of a fixed history is fixed. Look at it in a browser before you -update it.
func TestTheViolationIsDrawn(t *testing.T) {
	page := render(t, aViolation(t, "k", "2", "n2"), "")
	golden := filepath.Join("testdata", "violation.html")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(page), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	if string(want) != page { // not by require: the two pages would be printed
		t.Errorf("the page differs from %s", golden)
	}
	for _, needed := range []string{
		"✗ INVALID", "linear: key k is not linearizable: no order of 3 operations explains read -&gt; 1",
		"✗ impossible", "term 1 has two leaders", `class="leader split"`, `class="fault unconfirmed"`, "sunder run --seed 7",
	} {
		require.Contains(t, page, needed)
	}
}

// What a target says is data: it stays text, whatever it is.
func TestHostileTextStaysText(t *testing.T) {
	for _, evil := range []string{
		`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><style>*{display:none}`,
		`&lt;&amp;`, "{{.Verdict}}", "\x00\x01\xff", strings.Repeat("x", 100_000), `javascript:alert(1)`, `]]>`, "\u202etxet",
	} {
		page := render(t, aViolation(t, evil, evil, clip(strings.ToValidUTF8(evil, "?"), 50)), evil)
		require.Equal(t, parts(t, render(t, aViolation(t, "k", "2", "n2"), "x")), parts(t, page), "%q is more than text", evil)
		require.Less(t, len(page), 3<<20)
	}
}

// parts returns the elements and attributes of a page, in order, as a browser finds them. Places and
// sizes may differ; what there is may not.
func parts(t *testing.T, page string) []string {
	var list []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			require.ErrorIs(t, z.Err(), io.EOF)
			return list
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			part := token.Data
			for _, a := range token.Attr {
				part += " " + a.Key
				if a.Key == "href" || a.Key == "class" || a.Key == "style" {
					part += "=" + a.Val
				}
			}
			list = append(list, part)
		}
	}
}

// The page works from a file and loads nothing.
func TestThePageIsSelfContained(t *testing.T) {
	page := render(t, aViolation(t, "k", "2", "n2"), "")
	require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'`)
	require.NotRegexp(t, `(?i)(src=|url\(\s*['"]?[a-z]+:|@import|https?://)`, page)
}

func TestEveryVerdictHasItsPage(t *testing.T) {
	require.Contains(t, render(t, &history.History{}, ""), "? UNKNOWN")
	b := newBuilder(t)
	b.op(0, "write", "n1", "k", "1", "1", history.OK)
	b.op(0, "read", "n1", "k", "", "1", history.OK)
	page := render(t, &b.h, "")
	require.Contains(t, page, "✓ VALID")
	require.Contains(t, render(t, &b.h, "out of paper"), "The run ended early: out of paper")
}

// An attachment that nobody knows how to draw is shown, and one that is broken changes no verdict.
func TestUnknownAttachments(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Run{Dir: dir, History: &history.History{}, Results: []checkers.Result{{
		Checker: "future", Verdict: checkers.Invalid, Why: "so it is",
		Attach: []checkers.Attachment{{Kind: "cycle", Data: json.RawMessage(`{"a":"<b>"}`)}, {Kind: checkers.KindTimeline, Data: json.RawMessage(`7`)}},
	}}}.Write())
	page, err := os.ReadFile(filepath.Join(dir, HTMLFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "cycle")
	require.Contains(t, string(page), "&lt;b&gt;")
	require.Contains(t, string(page), "so it is")
	b, err := os.ReadFile(filepath.Join(dir, ResultsFile))
	require.NoError(t, err)
	var out results
	require.NoError(t, json.Unmarshal(b, &out))
	require.Equal(t, checkers.Invalid, out.Verdict)
}

// A node that ended by itself is shown with what it wrote last.
func TestExitsAreShown(t *testing.T) {
	b := newBuilder(t)
	b.note(history.Controller, history.FTest, "", history.Test{Version: 1, Nodes: []string{"n1"}, Nemesis: "none", Checkers: []string{"progress"}, Started: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)})
	b.note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.add(history.Event{Process: history.Observer, Kind: history.Note, F: history.FExit, Node: "n1", Err: "the process ended by itself"})
	results, err := checkers.Default().Run(t.Context(), &b.h, []string{"progress"}, checkers.Defaults())
	require.NoError(t, err)
	require.Equal(t, checkers.Unknown, checkers.Worst(results))
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", "n1.log"), []byte("2026-11-22T01:00:00.025Z panic: tocommit is out of range\n"), 0o644))
	require.NoError(t, Run{Dir: dir, History: &b.h, Results: results}.Write())
	page, err := os.ReadFile(filepath.Join(dir, HTMLFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "Node n1 ended by itself at 0.030 s")
	require.Contains(t, string(page), "panic: tocommit is out of range")
}

// A page stays below 10 MB, however many faults there were and whatever nodes wrote.
func TestPagesAreBounded(t *testing.T) {
	b := newBuilder(t)
	b.step = time.Millisecond
	b.note(history.Controller, history.FTest, "", history.Test{Version: 1, Checkers: []string{"linear"}, Nodes: []string{"n1", strings.Repeat("<", 500)}, Started: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)})
	b.note(history.Controller, history.FPhase, "", history.PhaseLoad)
	for i := range 10_000 {
		b.fault(i, "kill", `{"nodes":["`+strings.Repeat("<", 500)+`"]}`, history.OK, "")
		b.heal(i)
	}
	var results []checkers.Result
	for i := range len(checkers.Default()) {
		data, err := json.Marshal(slices.Repeat([]checkers.Exit{{Node: "n1", At: time.Second}}, 2*maxEvidence))
		require.NoError(t, err)
		results = append(results, checkers.Result{Checker: fmt.Sprint("c", i), Attach: []checkers.Attachment{{Kind: checkers.KindExits, Data: data}}})
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", "n1.log"), []byte(strings.Repeat("2026-11-22T01:00:01Z "+strings.Repeat("<", 900)+"\n", 600)), 0o644))
	require.NoError(t, Run{Dir: dir, History: &b.h, Results: results}.Write())
	info, err := os.Stat(filepath.Join(dir, HTMLFile))
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(10<<20))
	page, err := os.ReadFile(filepath.Join(dir, HTMLFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "The first 1000 of 10000 faults")
	t.Log(info.Size())
}

func TestInWords(t *testing.T) {
	for data, want := range map[string]string{
		`{"shape":"halves","nodes":["n1","n3"],"links":[{"from":"n1"},{"from":"n2"}],"sender_down":null}`: "links 2, nodes n1 n3, shape halves",
		`{"dropped_bytes":{"n1\u003en2":12,"n2\u003en1":1e3},"after_ms":0.02,"all":true,"none":[]}`:       "after ms 0.02, all yes, dropped bytes (n1>n2 12, n2>n1 1e3)",
		`"text"`: `"text"`, ``: ``, `{}`: ``,
	} {
		require.Equal(t, want, inWords(json.RawMessage(data)))
	}
}

func TestReigns(t *testing.T) {
	b := newBuilder(t)
	b.note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	b.note(history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 1})
	b.note(history.Observer, history.FClaim, "n2", history.Claim{Term: 2, Source: "log"})
	b.note(history.Observer, history.FStatus, "n1", history.Status{Role: "follower", Term: 2})
	b.add(history.Event{Process: history.Observer, Kind: history.Note, F: history.FExit, Node: "n2"})
	b.note(history.Controller, history.FPhase, "", history.PhaseEnd)
	ms := time.Millisecond
	require.Equal(t, []reign{{"n1", 1, 10 * ms, 40 * ms}, {"n2", 2, 30 * ms, 50 * ms}}, reigns(&b.h))
}

func TestTicksAreRound(t *testing.T) {
	for _, span := range []time.Duration{7 * time.Millisecond, time.Second, 31 * time.Second, time.Hour} {
		ticks := axis{0, span, 0, 1000}.ticks()
		require.GreaterOrEqual(t, len(ticks), 5, span)
		require.LessOrEqual(t, len(ticks), 13, span)
	}
}

// aLongRun is a run of a million operations over 20 minutes, with faults, elections, and stale reads.
func aLongRun(b *testing.B) *history.History {
	build := &builder{t: b, step: 600 * time.Microsecond}
	nodes := []string{"n1", "n2", "n3", "n4", "n5"}
	build.note(history.Controller, history.FTest, "", history.Test{Version: 1, Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Target: "raft", Workload: "register",
		Nodes: nodes, Clients: 50, Checkers: []string{"linear", "leader", "stats", "progress"}, Command: "sunder run"})
	build.note(history.Controller, history.FPhase, "", history.PhaseLoad)
	const between = 2500
	for i := range 1_000_000 {
		key := fmt.Sprint("k", i/200)
		switch {
		case i%2 == 0:
			build.op(i%50, "write", nodes[i%5], key, fmt.Sprint(i), "", history.OK)
		case i%333_333 == 7:
			build.op(i%50, "read", nodes[i%5], key, "", fmt.Sprint(i-5), history.OK)
		default:
			build.op(i%50, "read", nodes[i%5], key, "", fmt.Sprint(i-1), history.OK)
		}
		if i%500 == 0 {
			build.note(history.Observer, history.FStatus, nodes[i/500%5], history.Status{Role: "follower", Term: uint64(i / between)})
		}
		if fault := i / between; i%between == 0 {
			build.note(history.Observer, history.FClaim, nodes[fault%5], history.Claim{Term: uint64(fault + 1), Source: "log"})
			build.fault(fault, []string{"isolate", "halves", "kill", "pause"}[fault%4], `{"nodes":["n1"]}`, history.OK, "")
		} else if i%between == between/2 {
			build.heal(fault)
		}
	}
	build.note(history.Controller, history.FPhase, "", history.PhaseEnd)
	return &build.h
}

// BenchmarkWrite renders a million operations, judged.
func BenchmarkWrite(b *testing.B) {
	h := aLongRun(b)
	results, err := checkers.Default().Run(b.Context(), h, checkers.ForHistory(h), checkers.Defaults())
	require.NoError(b, err)
	require.Equal(b, checkers.Invalid, checkers.Worst(results))
	b.ReportAllocs()
	for b.Loop() {
		var page bytes.Buffer
		require.NoError(b, Run{Dir: b.TempDir(), History: h, Results: results}.writeHTML(&page, Summary{}))
		b.ReportMetric(float64(page.Len()), "bytes")
	}
}
