package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

func aSuite() Suite {
	return Suite{Name: "nightly", Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Took: 90 * time.Second, Outcomes: []Outcome{
		{Name: "raft seed 1", Class: "raft.local", Status: Passed, Expect: "valid", Why: "all well", Command: "sunder run --seed 1", Took: time.Second},
		{Name: "raft bug=x", Class: "raft.local", Status: Failed, Expect: "invalid", Why: "a violation was expected, and none was found", Command: "sunder run --bug x"},
		{Name: "etcd", Class: "etcd.docker", Status: Unknown, Expect: "valid", Why: "out of its time budget <b>&\x00\x1b[31m]]>", Command: "sunder run | x ```"},
		{Name: "consul", Class: "consul.docker", Status: Broken, Expect: "valid", Why: "no Docker\nat all", Command: "sunder run", Dir: "20261122-x"},
		{Name: "late", Class: "consul.docker", Status: NotRun, Expect: "valid", Why: "no time"},
	}}
}

// A reader of JUnit's XML counts what the suite counts; nothing but a pass is one.
func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, aSuite().JUnit(&b))
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
	require.Equal(t, Failed, aSuite().Worst())
	require.Equal(t, Unknown, Suite{}.Worst(), "nothing is no pass")
}

// What a target says does nothing to a job's summary but stand there, and it never grows too large.
func TestMarkdown(t *testing.T) {
	text := aSuite().Markdown()
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
	text = big.Markdown()
	require.LessOrEqual(t, len(text), maxMarkdown)
	require.Contains(t, text, "more entries are in the artifacts")
}

func TestAnnotations(t *testing.T) {
	s := aSuite()
	require.Equal(t, "::error title=raft bug=x::failed: a violation was expected, and none was found%0Asunder run --bug x\n"+
		"::error title=consul::error: no Docker%0Aat all%0Asunder run\n"+
		"::error title=etcd::unknown: out of its time budget <b>&\x00\x1b[31m]]>%0Asunder run | x ```\n", s.Annotations())
	for range 20 {
		s.Outcomes = append(s.Outcomes, Outcome{Name: "a:b,c", Status: Failed, Why: "\n::warning::x"})
	}
	lines := strings.Split(strings.TrimSpace(s.Annotations()), "\n")
	require.Len(t, lines, maxAnnotations+1)
	require.Contains(t, lines[1], "title=a%3Ab%2Cc::failed: %0A::warning::x")
	require.Contains(t, lines[maxAnnotations], "13 more runs went wrong")
}

// runIn leaves a run in a directory as one that has ended.
func runIn(t *testing.T, dir, name string, started time.Time, verdict checkers.Verdict, options map[string]string) {
	b := newBuilder(t)
	b.note(history.Controller, history.FTest, "", history.Test{Version: 1, Started: started, Target: "raft", Fleet: "local", Workload: "register", Nemesis: "<kill>",
		Nodes: []string{"n1"}, Command: "sunder run '<x>'", Options: options})
	b.op(0, "write", "n1", "k", "1", "1", history.OK)
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(path, 0o755))
	require.NoError(t, Run{Dir: path, History: &b.h, Results: []checkers.Result{{Checker: "linear", Verdict: verdict, Why: "because <script>"}}}.Write())
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
	require.NoError(t, os.WriteFile(filepath.Join(dir, "spoiled", ResultsFile), []byte("{"), 0o644))

	runs, unread, err := readRuns(dir)
	require.NoError(t, err)
	require.Equal(t, 1, unread)
	x := newIndex(runs, unread)
	require.Equal(t, 40, x.Total)
	require.Len(t, x.Rows, 3)
	plain, found, missed := x.Rows[0], x.Rows[1], x.Rows[2]
	require.Equal(t, []Status{Passed, Unknown, Passed, Failed}, []Status{plain.Squares[0].Status, plain.Squares[1].Status, plain.Squares[2].Status, plain.Squares[3].Status})
	require.True(t, plain.New)
	require.Equal(t, 3, plain.Flips)
	require.Equal(t, 25, plain.UnknownShare)
	require.Len(t, found.Squares, maxSquares)
	require.Equal(t, Passed, found.Status, "a planted bug that is found is as it should be")
	require.Equal(t, Failed, missed.Status, "and one that is not is a failure")
	require.Len(t, x.Bad, 2)
	require.Equal(t, []any{1, "20261103-a", "20261102-a"}, []any{x.Bad[0].Streak, x.Bad[0].Since.Dir, x.Bad[0].LastGood.Dir})
	runIn(t, dir, "20261130-a", day.AddDate(0, 0, 29), checkers.Unknown, nil)
	runs, _, err = readRuns(dir)
	require.NoError(t, err)
	bad := newIndex(runs, 0).Bad[0]
	require.Equal(t, []any{2, "20261130-a", "20261103-a", "20261102-a"}, []any{bad.Streak, bad.Dir, bad.Since.Dir, bad.LastGood.Dir})
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "20261130-a")))

	require.NoError(t, WriteIndex(dir))
	page, err := os.ReadFile(filepath.Join(dir, IndexFile))
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

// A report leads to the runs of the same before and after it, and to the last that was as it should be.
func TestReportsLeadToOthers(t *testing.T) {
	dir := t.TempDir()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	links := func(name string) []string {
		page, err := os.ReadFile(filepath.Join(dir, name, HTMLFile))
		require.NoError(t, err)
		return regexp.MustCompile(`(?:\.\./[^"]*|(?:Previous|Last green|Next)[^<]*)`).FindAllString(string(page), -1)
	}
	for i, v := range []checkers.Verdict{checkers.Valid, checkers.Unknown, checkers.Invalid, checkers.Valid} {
		runIn(t, dir, fmt.Sprintf("2026110%d", i), day.AddDate(0, 0, i), v, nil)
		runIn(t, dir, fmt.Sprintf("2026110%d-other", i), day.AddDate(0, 0, i), checkers.Valid, map[string]string{"consistency": "stale"})
	}
	require.Empty(t, seriesOf(filepath.Join(dir, "20261100"), Summary{Target: "another"}))
	require.NoError(t, WriteIndex(dir))
	require.Empty(t, links("20261100"), "it was the first, and there was no index")
	require.NoError(t, os.Symlink("20261102", filepath.Join(dir, "latest")))
	runIn(t, dir, "latest", day.AddDate(0, 0, 2), checkers.Invalid, nil) // as 'sunder report runs/latest' does
	require.Equal(t, []string{
		"../index.html", "../20261101/report.html", "Previous: ? unknown", "../20261100/report.html", "Last green: 2026-11-01 00:00", "../20261103/report.html", "Next: ✓ passed",
	}, links("20261102"))
}
