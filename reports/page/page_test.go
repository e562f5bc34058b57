package page

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
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/reportstest"
	"github.com/sunder-dev/sunder/reports/view"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t testing.TB, h *history.History, trouble string) string {
	results, err := checkers.Default().Run(t.Context(), h, checkers.ForHistory(h), checkers.Defaults())
	require.NoError(t, err)
	for i := range results {
		results[i].Took = 0
	}
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	run := reports.Run{Dir: dir, History: h, Results: results, Trouble: trouble}
	require.NoError(t, run.WriteResults())
	require.NoError(t, Write(run, nil))
	page, err := os.ReadFile(filepath.Join(dir, reports.HTMLFile))
	require.NoError(t, err)
	return string(page)
}

// The page of a fixed history is fixed. Look at it in a browser before you -update it.
func TestTheViolationIsDrawn(t *testing.T) {
	page := render(t, reportstest.AViolation(t, "k", "2", "n2"), "")
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
		"✗ INVALID", "Double leader: n1 and n2 both won term 1, at 0.030 s and 0.120 s.", "n2 won term 1 at 0.120 s, too.",
		"key k is not linearizable: no order of 3 operations explains read -&gt; 1",
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
		page := render(t, reportstest.AViolation(t, evil, evil, view.Clip(strings.ToValidUTF8(evil, "?"), 50)), evil)
		require.Equal(t, parts(t, render(t, reportstest.AViolation(t, "k", "2", "n2"), "x")), parts(t, page), "%q is more than text", evil)
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
	page := render(t, reportstest.AViolation(t, "k", "2", "n2"), "")
	require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'`)
	require.NotRegexp(t, `(?i)(src=|url\(\s*['"]?[a-z]+:|@import|https?://)`, page)
}

func TestEveryVerdictHasItsPage(t *testing.T) {
	require.Contains(t, render(t, &history.History{}, ""), "? UNKNOWN")
	b := reportstest.NewBuilder(t)
	b.Op(0, "write", "n1", "k", "1", "1", history.OK)
	b.Op(0, "read", "n1", "k", "", "1", history.OK)
	page := render(t, &b.History, "")
	require.Contains(t, page, "✓ VALID")
	require.Contains(t, render(t, &b.History, "out of paper"), "The run ended early: out of paper")
}

// An attachment that nobody knows how to draw is shown, and one that is broken changes no verdict.
func TestUnknownAttachments(t *testing.T) {
	dir := t.TempDir()
	run := reports.Run{Dir: dir, History: &history.History{}, Results: []checkers.Result{{
		Checker: "future", Verdict: checkers.Invalid, Why: "so it is",
		Attach: []checkers.Attachment{{Kind: "cycle", Data: json.RawMessage(`{"a":"<b>"}`)}, {Kind: checkers.KindTimeline, Data: json.RawMessage(`7`)}},
	}}}
	require.NoError(t, Write(run, nil))
	page, err := os.ReadFile(filepath.Join(dir, reports.HTMLFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "cycle")
	require.Contains(t, string(page), "&lt;b&gt;")
	require.Contains(t, string(page), "so it is")
}

// A node that ended by itself is shown with what it wrote last.
func TestExitsAreShown(t *testing.T) {
	b := reportstest.NewBuilder(t)
	b.Note(history.Controller, history.FTest, "", history.Test{Version: 1, Nodes: []string{"n1"}, Nemesis: "none", Checkers: []string{"progress"}, Started: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)})
	b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.Add(history.Event{Process: history.Observer, Kind: history.Note, F: history.FExit, Node: "n1", Err: "the process ended by itself"})
	results, err := checkers.Default().Run(t.Context(), &b.History, []string{"progress"}, checkers.Defaults())
	require.NoError(t, err)
	require.Equal(t, checkers.Unknown, checkers.Worst(results))
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", "n1.log"), []byte("2026-11-22T01:00:00.025Z panic: tocommit is out of range\n"), 0o644))
	require.NoError(t, Write(reports.Run{Dir: dir, History: &b.History, Results: results}, nil))
	page, err := os.ReadFile(filepath.Join(dir, reports.HTMLFile))
	require.NoError(t, err)
	require.Contains(t, string(page), "Node n1 ended by itself at 0.030 s")
	require.Contains(t, string(page), "panic: tocommit is out of range")
}

// A page stays below 10 MB, however many faults there were and whatever nodes wrote.
func TestPagesAreBounded(t *testing.T) {
	b := reportstest.NewBuilder(t)
	b.Step = time.Millisecond
	b.Note(history.Controller, history.FTest, "", history.Test{Version: 1, Checkers: []string{"linear"}, Nodes: []string{"n1", strings.Repeat("<", 500)}, Started: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)})
	b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	for i := range 10_000 {
		b.Fault(i, "kill", `{"nodes":["`+strings.Repeat("<", 500)+`"]}`, history.OK, "")
		b.Heal(i)
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
	require.NoError(t, Write(reports.Run{Dir: dir, History: &b.History, Results: results}, nil))
	info, err := os.Stat(filepath.Join(dir, reports.HTMLFile))
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(10<<20))
	page, err := os.ReadFile(filepath.Join(dir, reports.HTMLFile))
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
	b := reportstest.NewBuilder(t)
	b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 1})
	b.Note(history.Observer, history.FClaim, "n2", history.Claim{Term: 2, Source: "log"})
	b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "follower", Term: 2})
	b.Add(history.Event{Process: history.Observer, Kind: history.Note, F: history.FExit, Node: "n2"})
	b.Note(history.Controller, history.FPhase, "", history.PhaseEnd)
	ms := time.Millisecond
	require.Equal(t, []reign{{"n1", 1, 10 * ms, 40 * ms}, {"n2", 2, 30 * ms, 50 * ms}}, reigns(&b.History))
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
	build := reportstest.NewBuilder(b)
	build.Step = 600 * time.Microsecond
	nodes := []string{"n1", "n2", "n3", "n4", "n5"}
	build.Note(history.Controller, history.FTest, "", history.Test{Version: 1, Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Target: "raft", Workload: "register",
		Nodes: nodes, Clients: 50, Checkers: []string{"linear", "leader", "stats", "progress"}, Command: "sunder run"})
	build.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	const between = 2500
	for i := range 1_000_000 {
		key := fmt.Sprint("k", i/200)
		switch {
		case i%2 == 0:
			build.Op(i%50, "write", nodes[i%5], key, fmt.Sprint(i), "", history.OK)
		case i%333_333 == 7:
			build.Op(i%50, "read", nodes[i%5], key, "", fmt.Sprint(i-5), history.OK)
		default:
			build.Op(i%50, "read", nodes[i%5], key, "", fmt.Sprint(i-1), history.OK)
		}
		if i%500 == 0 {
			build.Note(history.Observer, history.FStatus, nodes[i/500%5], history.Status{Role: "follower", Term: uint64(i / between)})
		}
		if fault := i / between; i%between == 0 {
			build.Note(history.Observer, history.FClaim, nodes[fault%5], history.Claim{Term: uint64(fault + 1), Source: "log"})
			build.Fault(fault, []string{"isolate", "halves", "kill", "pause"}[fault%4], `{"nodes":["n1"]}`, history.OK, "")
		} else if i%between == between/2 {
			build.Heal(fault)
		}
	}
	build.Note(history.Controller, history.FPhase, "", history.PhaseEnd)
	return &build.History
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
		require.NoError(b, draw(&page, reports.Run{Dir: b.TempDir(), History: h, Results: results}, nil))
		b.ReportMetric(float64(page.Len()), "bytes")
	}
}

// A fault is told by whom it hit and what it took, of old runs by what was recorded.
func TestFaultsInWords(t *testing.T) {
	links := []history.Link{{From: "n1", To: "n2"}, {From: "n2", To: "n1"}}
	of := func(fault string, takes *history.Takes) string {
		f := history.Fault{FaultEvent: history.FaultEvent{Fault: json.RawMessage(fault), Takes: takes}}
		if takes != nil {
			f.Took = *takes
		}
		return detail(f)
	}
	require.Equal(t, "n1 (leader) 2 links cut", of(`{"aim":"leader","nodes":["n1"],"deeds":[{}]}`, &history.Takes{Cut: links}))
	require.Equal(t, "n1 n2 (minority)", of(`{"aim":"minority","nodes":["n1","n2"]}`, &history.Takes{Down: []string{"n1", "n2"}}))
	require.Equal(t, "1 link garbled of another version", of(`{}`, &history.Takes{Garbled: links[:1], Version: []string{"n1"}}))
	require.Equal(t, "2 links slow", of(`{}`, &history.Takes{Slow: links}))
	require.Equal(t, "nodes n1", of(`{"nodes":["n1"]}`, nil))
}

// Which nodes are near each other is said, and drawn: a line between sites, and the number of each.
func TestSites(t *testing.T) {
	p := Page{}
	require.Empty(t, p.Sites())
	p.Test.Sites, p.Test.SitesApart = [][]string{{"n1", "n2"}, {"n3"}}, 20*time.Millisecond
	require.Equal(t, "sites n1 n2 | n3, 20ms apart", p.Sites())
	l := leaders{nodes: []string{"n1", "n2", "n3"}, sites: map[string]int{"n1": 1, "n2": 1, "n3": 2}}
	var d drawing
	leaderLanes(&d, axis{0, time.Second, gutter, overviewWidth}, 0, l)
	var lines, texts []string
	for _, line := range d.Lines {
		lines = append(lines, line.Class)
	}
	for _, text := range d.Texts {
		texts = append(texts, text.Text)
	}
	require.Equal(t, []string{"grid", "site", "grid"}, lines)
	require.Equal(t, []string{"Leader of term", "n1", "site 1", "n2", "n3", "site 2"}, texts)
}
