package index

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

func aSuite() reports.Suite {
	return reports.Suite{Name: "nightly", Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Took: 90 * time.Second, Outcomes: []reports.Outcome{
		{Name: "raft seed 1", Class: "raft.local", Status: reports.Passed, Expect: "valid", Why: "all well", Command: "sunder run --seed 1", Took: time.Second},
		{Name: "raft bug=x", Class: "raft.local", Status: reports.Failed, Expect: "invalid", Why: "a violation was expected, and none was found", Command: "sunder run --bug x"},
		{Name: "etcd", Class: "etcd.docker", Status: reports.Unknown, Expect: "valid", Why: "out of its time budget <b>&\x00\x1b[31m]]>", Command: "sunder run | x ```"},
		{Name: "consul", Class: "consul.docker", Status: reports.Broken, Expect: "valid", Why: "no Docker\nat all", Command: "sunder run", Dir: "20261122-x"},
		{Name: "late", Class: "consul.docker", Status: reports.NotRun, Expect: "valid", Why: "no time"},
	}}
}

// A reader of JUnit's XML counts what the suite counts; nothing but a pass is one.
func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, aSuite()))
	var read junitSuites
	require.NoError(t, xml.Unmarshal(b.Bytes(), &read))
	require.Equal(t, []int{5, 1, 2, 1}, []int{read.Tests, read.Failures, read.Errors, read.Skipped})
	cases := read.Suites[0].Cases
	require.Len(t, cases, 5)
	require.Nil(t, cases[0].Failure)
	require.Nil(t, cases[0].Error)
	require.Equal(t, "a violation was expected, and none was found", cases[1].Failure.Message)
	require.Contains(t, cases[1].Failure.Text, "run it again: sunder run --bug x")
	require.Equal(t, "out of its time budget <b>&??[31m]]>", cases[2].Error.Message)
	require.Equal(t, "error", cases[3].Error.Type)
	require.NotNil(t, cases[4].Skipped)
	require.Equal(t, reports.Failed, aSuite().Worst())
	require.Equal(t, reports.Unknown, reports.Suite{}.Worst(), "nothing is no pass")
}

// What a target says does nothing to a job's summary but stand there, and it never grows too large.
func TestMarkdown(t *testing.T) {
	text := Markdown(aSuite())
	require.Contains(t, text, "## ❌ nightly: failed")
	require.Contains(t, text, "1 passed, 1 failed, 1 unknown, 1 errors, 1 not run, in 1m30s.")
	require.NotContains(t, text, "<b>")
	require.Equal(t, 0, strings.Count(text, "```")%2)
	require.Less(t, strings.Index(text, "raft bug=x"), strings.Index(text, "etcd"), "failures first")

	big := aSuite()
	for i := range 5000 {
		o := big.Outcomes[1+i%3]
		o.Name, o.Why = fmt.Sprint("cell ", i), strings.Repeat("|`<", 500)
		big.Outcomes = append(big.Outcomes, o)
	}
	text = Markdown(big)
	require.LessOrEqual(t, len(text), maxMarkdown)
	require.Contains(t, text, "more entries are in the artifacts")
}

// What a run says is no Markdown: neither a link nor code.
func TestMarkdownOfHostileText(t *testing.T) {
	text := markdown(`\[click\](https://evil.example) www.evil.example ` + "`code\\` @all #1 <b>\n\n# head")
	require.Equal(t, `\\\[click\\\](https:`+"\u200b//evil.example) www\u200b.evil.example \\`code\\\\\\` @\u200ball \\#1 &lt;b&gt;  \\# head", text)
}

func TestAnnotations(t *testing.T) {
	s := aSuite()
	require.Equal(t, "::error title=raft bug=x::failed: a violation was expected, and none was found%0Asunder run --bug x\n"+
		"::error title=consul::error: no Docker%0Aat all%0Asunder run\n"+
		"::error title=etcd::unknown: out of its time budget <b>&\x00\x1b[31m]]>%0Asunder run | x ```\n"+
		"::warning title=nightly::1 run not run, which is no pass\n", Annotations(s))
	for range 20 {
		s.Outcomes = append(s.Outcomes, reports.Outcome{Name: "a:b,c", Status: reports.Failed, Why: "\n::warning::x"})
	}
	lines := strings.Split(strings.TrimSpace(Annotations(s)), "\n")
	require.Len(t, lines, maxAnnotations+2)
	require.Contains(t, lines[1], "title=a%3Ab%2Cc::failed: %0A::warning::x")
	require.Contains(t, lines[maxAnnotations+1], "13 more runs went wrong")
}

// runIn leaves a run in a directory as one that has ended, with its page.
func runIn(t *testing.T, dir, name string, started time.Time, verdict checkers.Verdict, options map[string]string) {
	require.NoError(t, page.Write(reportstest.RunIn(t, dir, name, started, verdict, options), nil))
}

// An index has a row for each cell and a square for each run, and marks what is new and what changes its mind.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i, v := range []checkers.Verdict{checkers.Valid, checkers.Unknown, checkers.Valid, checkers.Invalid} {
		runIn(t, dir, fmt.Sprintf("2026110%d-a", i), day.AddDate(0, 0, i), v, nil)
	}
	for i := range 35 {
		runIn(t, dir, fmt.Sprintf("202612%02d-b", i), day.AddDate(0, 1, i), checkers.Invalid, map[string]string{"bug": "stale-read"})
	}
	runIn(t, dir, "20270101-c", day.AddDate(1, 0, 0), checkers.Valid, map[string]string{"bug": "two-votes"})
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "under-way"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "spoiled"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "spoiled", reports.ResultsFile), []byte("{"), 0o644))

	x := indexOf(t, dir)
	require.Len(t, x.Unread, 1)
	require.Contains(t, x.Unread[0], "spoiled: ")
	require.False(t, x.Green())
	require.Len(t, x.List, 40)
	require.Len(t, x.Rows, 3)
	plain, found, missed := x.Rows[0], x.Rows[1], x.Rows[2]
	require.Equal(t, []reports.Status{reports.Passed, reports.Unknown, reports.Passed, reports.Failed}, []reports.Status{plain.Squares[0].Status, plain.Squares[1].Status, plain.Squares[2].Status, plain.Squares[3].Status})
	require.True(t, plain.New)
	require.Equal(t, 3, plain.Flips)
	require.Equal(t, 25, plain.UnknownShare)
	require.Len(t, found.Squares, maxSquares)
	require.Equal(t, reports.Passed, found.Squares[0].Status, "a planted bug that is found is as it should be")
	require.Equal(t, reports.Failed, missed.Squares[0].Status, "and one that is not is a failure")
	require.Len(t, x.Bad, 2)
	require.Equal(t, []any{1, "20261103-a", "20261102-a"}, []any{x.Bad[0].Streak, x.Bad[0].Since.Dir, x.Bad[0].LastGood.Dir})
	runIn(t, dir, "20261130-a", day.AddDate(0, 0, 29), checkers.Unknown, nil)
	bad := indexOf(t, dir).Bad[0]
	require.Equal(t, []any{2, "20261130-a", "20261103-a", "20261102-a"}, []any{bad.Streak, bad.Dir, bad.Since.Dir, bad.LastGood.Dir})
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "20261130-a")))

	require.NoError(t, Write(dir))
	page, err := os.ReadFile(filepath.Join(dir, reports.IndexFile))
	require.NoError(t, err)
	require.NotContains(t, string(page), "<script>")
	require.NotContains(t, string(page), "<kill>")
	require.Contains(t, string(page), "new failure")
	require.Contains(t, string(page), `href="20261103-a/report.html"`)
	require.NotRegexp(t, `(?i)(src=|@import|https?://)`, string(page))
	entries, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

func indexOf(t *testing.T, dir string) index {
	found, err := reports.ReadRuns(dir)
	require.NoError(t, err)
	return newIndex(found)
}

// An index is green only if nothing at all is wrong.
func TestWhatIsGreen(t *testing.T) {
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	good := func(t *testing.T) string {
		dir := t.TempDir()
		runIn(t, dir, "20261101-a", day, checkers.Valid, nil)
		require.True(t, indexOf(t, dir).Green())
		return dir
	}
	file := func(t *testing.T, text string, path ...string) {
		require.NoError(t, os.MkdirAll(filepath.Join(path[:len(path)-1]...), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(path...), []byte(text), 0o644))
	}
	for name, spoil := range map[string]func(dir string){
		"results that cannot be read": func(dir string) { file(t, "{", dir, "20261102", reports.ResultsFile) },
		"a suite that cannot be read": func(dir string) { file(t, "{", dir, reports.SuiteFile) },
		"a suite of a future sunder":  func(dir string) { file(t, `{"outcomes":[{"name":"x","status":"flaky"}]}`, dir, reports.SuiteFile) },
		"a run that was killed": func(dir string) {
			file(t, `{"target":"raft","nodes":["n1"]}`, dir, "20261102", "test.json")
			require.NoError(t, os.Chtimes(filepath.Join(dir, "20261102", "test.json"), day, day))
		},
		"an outcome without a run": func(dir string) {
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Name: "etcd", Status: reports.Broken, Why: "no engine"}}}))
		},
		"an outcome that is worse than the results": func(dir string) {
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Name: "etcd", Status: reports.Broken, Why: "it crashed at the end", Dir: "20261101-a"}}}))
		},
		"outcomes whose runs left no results": func(dir string) {
			file(t, `{"target":"raft"}`, dir, "x-2", "test.json")
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.Passed, Dir: "20261101-a"}, {Status: reports.Broken, Dir: "x-2"}}}))
		},
		"an outcome whose run is not there": func(dir string) {
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.Passed, Dir: "20261101-a"}, {Status: reports.Failed, Dir: "x-3"}}}))
		},
		"a newer run of a suite that is older": func(dir string) {
			runIn(t, dir, "20261031-s", day.Add(-time.Hour), checkers.Valid, nil)
			runIn(t, dir, "20261102-s", day.Add(time.Hour), checkers.Invalid, nil)
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.Passed, Dir: "20261031-s"}, {Status: reports.Failed, Dir: "20261102-s"}}}))
		},
		"a suite that was killed": func(dir string) {
			require.NoError(t, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.NotRun}}}.Save(dir))
			require.NoError(t, os.Chtimes(filepath.Join(dir, reports.SuiteFile), day, day))
		},
		"what was lost, and only another suite's was run again": func(dir string) {
			for name, s := range map[string]reports.Suite{
				"suite-1": {Name: "long", Started: day, Outcomes: []reports.Outcome{{Class: "raft", Status: reports.Broken}}},
				"suite-2": {Name: "smoke", Started: day.Add(time.Hour), Outcomes: []reports.Outcome{{Class: "raft", Status: reports.Passed}}},
			} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
				require.NoError(t, WriteSuite(filepath.Join(dir, name), s))
			}
		},
		"a seed of the same suite": func(dir string) {
			runIn(t, dir, "20261101-0", day.Add(-time.Minute), checkers.Invalid, nil)
			require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.Failed, Dir: "20261101-0"}, {Status: reports.Passed, Dir: "20261101-a"}}}))
		},
		"another latency": func(dir string) {
			runIn(t, dir, "20261031", day.Add(-time.Hour), checkers.Invalid, map[string]string{"latency": "20ms"})
		},
		"a violation with a word like bug": func(dir string) {
			runIn(t, dir, "20261102", day.Add(time.Hour), checkers.Invalid, map[string]string{"target-flag": "debug=true"})
		},
	} {
		dir := good(t)
		spoil(dir)
		require.False(t, indexOf(t, dir).Green(), name)
		require.NoError(t, Write(dir))
		page, err := os.ReadFile(filepath.Join(dir, reports.IndexFile))
		require.NoError(t, err)
		require.Contains(t, string(page), `<header class="invalid">`, name)
	}

	// A run that is under way is no failure, and neither is an older failure of the same.
	dir := good(t)
	file(t, `{"target":"raft"}`, dir, "20261102", "test.json")
	runIn(t, dir, "20261031", day.Add(-time.Hour), checkers.Invalid, nil)
	x := indexOf(t, dir)
	require.True(t, x.Green())
	require.Equal(t, 1, x.UnderWay)
	require.False(t, indexOf(t, t.TempDir()).Green(), "nothing is not green")

	// Neither is a suite that is under way, a verdict that was found again with more time, or a part that was missing
	// in an earlier night.
	dir = good(t)
	require.NoError(t, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.NotRun}}}.Save(dir))
	require.True(t, indexOf(t, dir).Green())
	dir = good(t)
	require.NoError(t, WriteSuite(dir, reports.Suite{Started: day, Outcomes: []reports.Outcome{{Status: reports.Unknown, Why: "out of time", Dir: "20261101-a"}}}))
	require.True(t, indexOf(t, dir).Green())
	dir = good(t)
	for name, s := range map[string]reports.Suite{
		"suite-1": {Name: "night", Started: day, Outcomes: []reports.Outcome{{Class: "part 2", Part: true, Suite: "night", Status: reports.Broken}}},
		"suite-2": {Name: "night", Started: day.Add(time.Hour), Outcomes: []reports.Outcome{{Class: "raft", Suite: "night", Status: reports.Passed}}},
	} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		require.NoError(t, WriteSuite(filepath.Join(dir, name), s))
	}
	require.True(t, indexOf(t, dir).Green())
}

// An index over suites compares a night with the nights before it: runs of one suite count as one.
func TestIndexOfSuites(t *testing.T) {
	dir := t.TempDir()
	for night, verdicts := range [][]checkers.Verdict{{checkers.Valid, checkers.Valid}, {checkers.Invalid, checkers.Valid}, {checkers.Valid, checkers.Invalid}} {
		at := time.Date(2026, 11, 1+night, 0, 0, 0, 0, time.UTC)
		s := reports.Suite{Name: "nightly", Started: at}
		below := filepath.Join(dir, fmt.Sprint("suite-", night))
		for seed, v := range verdicts {
			name := fmt.Sprint("run-", seed)
			runIn(t, below, name, at.Add(time.Duration(seed)*time.Minute), v, nil)
			s.Outcomes = append(s.Outcomes, reports.Outcome{Dir: name, Status: map[bool]reports.Status{true: reports.Passed, false: reports.Failed}[v == checkers.Valid]})
		}
		if night < 2 {
			s.Outcomes = append(s.Outcomes, reports.Outcome{Name: fmt.Sprint("loss of night ", night), Class: "etcd", Status: reports.Broken}, reports.Outcome{Class: "consul", Status: reports.NotRun})
		} else {
			s.Outcomes = append(s.Outcomes, reports.Outcome{Class: "consul", Status: reports.Passed})
		}
		require.NoError(t, WriteSuite(below, s))
	}
	x := indexOf(t, dir)
	require.Len(t, x.Rows, 1)
	require.Len(t, x.Rows[0].Squares, 6)
	require.Equal(t, 3, x.Rows[0].Flips, "from good to bad, and two nights of which one seed was good")
	require.False(t, x.Rows[0].New, "it was bad the night before")
	require.Equal(t, []any{2, "suite-2/run-1", "suite-1/run-0", "suite-0/run-0"}, []any{x.Bad[0].Streak, x.Bad[0].Dir, x.Bad[0].Since.Dir, x.Bad[0].LastGood.Dir})
	require.Len(t, x.Lost, 1, "consul was run again, etcd was not")
	require.Equal(t, "loss of night 1", x.Lost[0].Name)
}

// A page that somebody else wrote is not replaced.
func TestAForeignIndexStays(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, reports.IndexFile), []byte("<h1>mine</h1>"), 0o644))
	require.ErrorContains(t, Write(dir), "is not a page that sunder wrote")
	page, err := os.ReadFile(filepath.Join(dir, reports.IndexFile))
	require.NoError(t, err)
	require.Equal(t, "<h1>mine</h1>", string(page))
}
