package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/reportstest"
	"github.com/sunder-dev/sunder/reports/view"
)

// The review says what was observed: who was cut off and answered all the same, and how long things took.
func TestReview(t *testing.T) {
	b := reportstest.NewBuilder(t)
	test := history.Test{Version: 1, Checkers: []string{"linear"}, Nodes: []string{"n1", "n2", "n3", "n4"}, Timing: &history.Timing{Heartbeat: 4 * time.Millisecond, Election: 10 * time.Millisecond}}
	b.Note(history.Controller, history.FTest, "", test)
	b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	b.Op(0, "write", "n1", "k", "1", "1", history.OK)
	b.Fault(0, "isolate", `{"nodes":["n1"],"links":[{"from":"n1","to":"n2"},{"from":"n1","to":"n3"},{"from":"n4","to":"n1"}]}`, history.OK, "")
	b.Note(history.Observer, history.FClaim, "n2", history.Claim{Term: 2, Source: "log"})
	b.Op(0, "read", "n1", "k", "", "1", history.OK) // by the side without a quorum
	b.Op(1, "write", "n3", "k", "2", "2", history.OK)
	b.Heal(0)
	b.Op(0, "read", "n1", "k", "", "2", history.OK)
	b.Note(history.Controller, history.FPhase, "", history.PhaseFinal)
	b.Op(0, "read", "n4", "k", "", "2", history.OK)
	require.NoError(t, b.History.Notes().Err())
	faults := b.History.Notes().Faults
	var text []string
	looks := 0
	for _, a := range review(&b.History, test, faults, []checkers.Result{{Checker: "linear", Verdict: checkers.Valid}}) {
		text = append(text, a.Question+" "+a.Answer)
		if a.Look {
			looks++
		}
	}
	all := strings.Join(text, "\n")
	require.Contains(t, all, "3 of 4 nodes; 1 may fail. The number is even: 3 nodes would bear as many failures.")
	require.Contains(t, all, "A heartbeat every 4ms, an election after 10ms at the earliest: 2.5 heartbeats may be missed before. A change took 10ms (median), so that a broadcast fits 1 times")
	require.Contains(t, all, "10ms at most (1.0 election timeouts).")
	require.Contains(t, all, "1 election under load")
	require.Contains(t, all, "of which 0 with no fault in force")
	require.Contains(t, all, "1 fault took the leader away; in 1 of them another one led while the fault was in force, after 10ms")
	require.Contains(t, all, "Nodes were cut off from a majority 1 time; 1 call that began and ended there got an answer: 1 read.")
	require.Contains(t, all, "After 1 heal the first call succeeded within 20ms")
	require.Contains(t, all, "2 changes acknowledged. 1 read at the end, at 1 of 4 nodes. All that was read fits an order of them.")
	require.Equal(t, 3, looks, "an even number of nodes, no room for a broadcast, and the minority that answered:\n%s", all)
}

// reviewed is what a review says, question by question, of a run of three nodes in which n1 leads at first.
func reviewed(t *testing.T, nodes int, run func(b *reportstest.Builder)) map[string]answer {
	b := reportstest.NewBuilder(t)
	test := history.Test{Version: 1, Checkers: []string{"linear"}, Nodes: []string{"n1", "n2", "n3"}[:nodes]}
	b.Note(history.Controller, history.FTest, "", test)
	b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	run(b)
	require.NoError(t, b.History.Notes().Err())
	faults := b.History.Notes().Faults
	answers := make(map[string]answer)
	for _, a := range review(&b.History, test, faults, []checkers.Result{{Checker: "linear", Verdict: checkers.Valid}}) {
		answers[a.Question] = a
	}
	return answers
}

const (
	askDetection = "How soon is a lost leader replaced?"
	askMinority  = "Does a side without a quorum serve?"
	askFollowers = "What do followers do with changes?"
	askSurvival  = "Did acknowledged changes survive?"
)

// The review claims nothing that was not seen.
func TestReviewClaimsNothingUnseen(t *testing.T) {
	links := `"links":[{"from":"n1","to":"n2"},{"from":"n2","to":"n1"},{"from":"n1","to":"n3"},{"from":"n3","to":"n1"}]`
	served := func(b *reportstest.Builder) { b.Op(0, "write", "n1", "k", "1", "1", history.OK); b.Heal(0) }

	a := reviewed(t, 3, func(b *reportstest.Builder) { // some packets are no cut
		b.Fault(0, "loss", `{"nodes":["n1"],"share":0.1,`+links+`}`, history.OK, "")
		served(b)
	})
	require.NotContains(t, a, askMinority)
	require.NotContains(t, a, askDetection)
	require.Contains(t, a[askFollowers].Answer, "0 were made")
	require.Equal(t, answer{Question: askSurvival, Look: true, Answer: "1 change acknowledged. Nothing was read at the end, so that nothing is known of the last of them."}, a[askSurvival])

	a = reviewed(t, 3, func(b *reportstest.Builder) { // a fault that did not act
		b.Fault(0, "kill", `{"nodes":["n1"]}`, history.Info, "they were all down already")
		served(b)
	})
	require.NotContains(t, a, askDetection)

	a = reviewed(t, 3, func(b *reportstest.Builder) { // the same node wins again
		b.Fault(0, "isolate", `{"nodes":["n1"],`+links+`}`, history.OK, "")
		b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 2, Source: "log"})
		served(b)
	})
	require.Contains(t, a[askDetection].Answer, "1 fault took the leader away; none lasted until another one was elected.")

	a = reviewed(t, 2, func(b *reportstest.Builder) { // without a quorum nobody can win
		b.Fault(0, "kill", `{"nodes":["n1"]}`, history.OK, "")
		served(b)
	})
	require.NotContains(t, a, askDetection)
	require.NotContains(t, reviewed(t, 1, served1), askFollowers, "a node alone follows nobody")
}

func served1(b *reportstest.Builder) { b.Op(0, "write", "n1", "k", "1", "1", history.OK) }

// A target that cannot tell its term says that it leads, but not which term.
func TestVagueStatusesBeginNoReign(t *testing.T) {
	b := reportstest.NewBuilder(t)
	b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 2, Vague: true})
	b.Note(history.Observer, history.FClaim, "n2", history.Claim{Term: 2, Source: "log"})
	b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "follower", Term: 2, Vague: true})
	ms := time.Millisecond
	require.Equal(t, []reign{{"n1", 1, 10 * ms, 40 * ms}, {"n2", 2, 30 * ms, 40 * ms}}, reigns(&b.History))
}

// Logs are put in the order of their own times, around a moment, and stay text.
func TestNodeLogs(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	write := func(node, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", node+".log"), []byte(text), 0o644))
	}
	write("n1", `{"level":"info","ts":"2026-11-22T01:00:01.500000Z","msg":"before"}
{"@level":"info","@timestamp":"2026-11-22T01:00:03.5Z","@message":"second"}
goroutine 1 [running]:
{"time":"2026-11-22T01:00:09Z","msg":"after"}
`)
	write("n2", "2026-11-22T02:00:03.250+0100 [INFO] first\n2026-11-22 01:00:04,5+00:00 third </script>\xff"+strings.Repeat("x", 100_000)+"\nno end")
	lines, left := nodeLogs(dir, time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), 3*time.Second, 5*time.Second)
	require.Zero(t, left)
	var got []string
	for _, l := range lines {
		got = append(got, l.Node+" "+l.At.String()+" "+view.Clip(l.Text, 40))
	}
	require.Len(t, got, 5)
	require.Equal(t, "n2 3.25s 2026-11-22T02:00:03.250+0100 [INFO] fir…", got[0])
	require.Contains(t, got[1], "n1 3.5s")
	require.Equal(t, "n1 3.5s goroutine 1 [running]:", got[2])
	require.Contains(t, got[3], "n2 4.5s 2026-11-22 01:00:04,5")
	require.Equal(t, "n2 4.5s no end", got[4])
	require.LessOrEqual(t, len([]rune(lines[3].Text)), maxLogText)

	var many strings.Builder
	for range 2 * maxLogLines {
		many.WriteString("2026-11-22T01:00:03Z line\n")
	}
	write("n3", many.String())
	lines, left = nodeLogs(dir, time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), 3*time.Second, 5*time.Second)
	require.Len(t, lines, maxLogLines)
	require.Equal(t, maxLogLines+5, left)

	// Of much, the beginning and the end are shown, and the rest is counted.
	many.Reset()
	for i := range 8000 {
		fmt.Fprintf(&many, "2026-11-22T01:00:%09.6fZ line %d\n", 3+float64(i)*2/8000, i)
	}
	odd := filepath.Join(t.TempDir(), "a[b]")
	require.NoError(t, os.MkdirAll(filepath.Join(odd, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(odd, "logs", "n1.log"), []byte(many.String()), 0o644))
	lines, left = nodeLogs(odd, time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), 3*time.Second, 5*time.Second)
	require.Equal(t, 8000-maxLogLines, left)
	require.Contains(t, lines[0].Text, "line 0")
	require.Contains(t, lines[maxLogLines-1].Text, "line 7999")
}

// Between the lines of logs stands what nodes answered, where it is news.
func TestAnswers(t *testing.T) {
	b := reportstest.NewBuilder(t)
	for range 3 {
		b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 2, Leader: "n1", Commit: 7, Applied: 6})
	}
	b.Note(history.Observer, history.FStatus, "n1", history.Status{Role: "follower", Term: 3})
	ms := time.Millisecond
	require.Equal(t, []logLine{{10 * ms, "n1", "asked, it answers: leader, term 2, leader n1, committed 7, applied 6"}, {40 * ms, "n1", "asked, it answers: follower, term 3, committed 0, applied 0"}}, answers(&b.History, 0, time.Second))
	require.Len(t, answers(&b.History, 20*ms, time.Second), 1)
	require.Empty(t, answers(&b.History, 0, 5*ms))
}

// The time of a line is the one that it says is its time; another one neither moves the line nor ends the log.
func TestTimesOfLogs(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", "n1.log"), []byte(`{"@message":"certificate is good until 2036-01-01T00:00:00Z","@timestamp":"2026-11-22T01:00:01Z"}
2036-01-01T00:00:00Z a clock that jumped
{"@message":"it broke","@timestamp":"2026-11-22T01:00:04Z"}
`), 0o644))
	lines, left := nodeLogs(dir, time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), 3*time.Second, 5*time.Second)
	require.Zero(t, left)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0].Text, "it broke")
}
