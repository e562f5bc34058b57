package checkers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWorst(t *testing.T) {
	of := func(verdicts ...Verdict) (results []Result) {
		for _, v := range verdicts {
			results = append(results, Result{Verdict: v})
		}
		return results
	}
	require.Equal(t, Unknown, Worst(nil))
	require.Equal(t, Valid, Worst(of(Valid, Valid)))
	require.Equal(t, Unknown, Worst(of(Valid, Unknown, Valid)))
	require.Equal(t, Invalid, Worst(of(Unknown, Invalid, Unknown)))
	require.Equal(t, Invalid, Worst(of(Invalid, Valid)))
	require.Equal(t, Unknown, Worst(make([]Result, 1)), "a result that says nothing")
}

func TestVerdictText(t *testing.T) {
	for _, v := range []Verdict{Unknown, Valid, Invalid} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		var back Verdict
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, v, back)
	}
	var v Verdict
	require.Error(t, json.Unmarshal([]byte(`"fine"`), &v))
}

type checkerFunc func(context.Context, *history.History) Result

func (f checkerFunc) Check(ctx context.Context, h *history.History) Result { return f(ctx, h) }

// A checker that crashes has found nothing out, and takes nothing else with it.
func TestCrashIsUnknown(t *testing.T) {
	r := guard(t.Context(), "broken", checkerFunc(func(context.Context, *history.History) Result { panic("oh dear") }), &history.History{})
	require.Equal(t, Unknown, r.Verdict)
	require.Equal(t, "broken", r.Checker)
	require.Contains(t, r.Why, "oh dear")
	require.Contains(t, string(r.Attach[0].Data), "TestCrashIsUnknown")
}

func TestUnknownCheckerIsAnError(t *testing.T) {
	_, err := Default().Run(t.Context(), &history.History{}, []string{"liner"}, Defaults())
	require.ErrorContains(t, err, `unknown checker "liner"`)
}

func TestLeader(t *testing.T) {
	claim := func(t *testing.T, h *history.History, at int, node string, term uint64, source string) {
		note(t, h, at, history.Observer, history.FClaim, node, history.Claim{Term: term, Source: source})
	}
	t.Run("no claims", func(t *testing.T) {
		require.Equal(t, Unknown, check(t, "leader", &history.History{}).Verdict)
	})
	t.Run("one a term", func(t *testing.T) {
		h := &history.History{}
		claim(t, h, 1, "n1", 1, "log")
		claim(t, h, 2, "n1", 1, "status")
		claim(t, h, 3, "n2", 2, "log")
		claim(t, h, 4, "n1", 1, "status") // n1 has not heard of term 2 yet, which is no crime
		r := check(t, "leader", h)
		require.Equal(t, Valid, r.Verdict)
		require.Equal(t, "2 terms had a leader, and none had two", r.Why)
	})
	t.Run("two in a term", func(t *testing.T) {
		h := &history.History{}
		claim(t, h, 1000, "n1", 1, "log")
		claim(t, h, 2000, "n2", 7, "status")
		claim(t, h, 3000, "n4", 7, "log")
		claim(t, h, 4000, "n2", 7, "log")
		r := check(t, "leader", h)
		require.Equal(t, Invalid, r.Verdict)
		require.Equal(t, "term 7 has two leaders: n4 (by its log, at 3.000 s) and n2 (by its log, at 4.000 s)", r.Why)
		require.Equal(t, []int{2, 3}, r.Ops)
		require.Equal(t, KindClaims, r.Attach[0].Kind)
	})
	t.Run("two by their status", func(t *testing.T) {
		h := &history.History{}
		status := func(at int, node string, s history.Status) {
			note(t, h, at, history.Observer, history.FStatus, node, s)
		}
		claim(t, h, 1000, "n1", 1, "log")
		status(2000, "n2", history.Status{Role: "leader", Term: 1, Vague: true})
		require.Equal(t, Valid, check(t, "leader", h).Verdict, "a vague answer is no claim")
		status(3000, "n2", history.Status{Role: "leader", Term: 1})
		r := check(t, "leader", h)
		require.Equal(t, Invalid, r.Verdict)
		require.Equal(t, "term 1 has two leaders: n1 (by its log, at 1.000 s) and n2 (by its status, at 3.000 s)", r.Why)
	})
	t.Run("three in a term, and more terms", func(t *testing.T) {
		h := &history.History{}
		for term := range uint64(2) {
			for n := range 3 {
				claim(t, h, 1, fmt.Sprint("n", n+1), term+1, "status")
			}
		}
		r := check(t, "leader", h)
		require.Equal(t, Invalid, r.Verdict)
		require.Contains(t, r.Why, "term 1 has 3 leaders: n1")
		require.Contains(t, r.Why, "; so has 1 more term")
	})
}

// states makes a history of hashes that nodes told, and of the time from which on everything is healed.
type states struct {
	t *testing.T
	h *history.History
	n int
}

func newStates(t *testing.T, nodes ...string) *states {
	s := &states{t: t, h: &history.History{}}
	note(t, s.h, 0, history.Controller, history.FTest, "", history.Test{Nodes: nodes})
	return s
}

func (s *states) settled() {
	s.n++
	note(s.t, s.h, s.n, history.Controller, history.FPhase, "", history.PhaseRecover)
}

func (s *states) status(node string, applied uint64, hash string) {
	s.n++
	note(s.t, s.h, s.n, history.Observer, history.FStatus, node, history.Status{Role: "follower", Applied: applied, Hash: hash})
}

func (s *states) hash(node string, revision uint64, since int64, sum string) {
	s.n++
	note(s.t, s.h, s.n, history.Observer, history.FHash, node, history.Hash{Revision: revision, Since: since, Sum: sum})
}

func (s *states) check(want Verdict, says string) {
	s.t.Helper()
	r := check(s.t, "state", s.h)
	require.Equal(s.t, want, r.Verdict, r.Why)
	require.Contains(s.t, r.Why, says)
	require.Equal(s.t, want == Invalid, len(r.Attach) > 0)
}

// One node says nothing about another, an index is no revision, and nothing is no state.
func TestState(t *testing.T) {
	s := newStates(t, "n1", "n2")
	s.settled()
	s.status("n1", 5, "aa")
	s.status("n1", 5, "aa")
	s.status("n1", 0, "00")
	s.status("n2", 0, "00")
	s.hash("n2", 5, 0, "aa")
	s.check(Unknown, "no two nodes were seen at the same place")
	s.status("n2", 6, "bb")
	s.status("n2", 5, "aa")
	s.check(Valid, "nodes were in the same state at each of 1 place at which they were compared, 0 of them before the last heal; all 2 agree at the end")
	s.status("n1", 6, "cc")
	s.check(Invalid, "the nodes' states have diverged: at index 6, n2 has bb, and n1 has cc (seen at 0.009 s); it is the first index that differs")
}

// What was compared before the end is said; two nodes that agree say nothing of a third.
func TestStateOfEveryNode(t *testing.T) {
	s := newStates(t, "n1", "n2", "n3")
	s.hash("n1", 3, 0, "aa")
	s.hash("n2", 3, 0, "aa")
	s.settled()
	s.check(Unknown, "there is nothing to compare")
	s.hash("n1", 7, 0, "bb")
	s.hash("n2", 7, 0, "bb")
	s.hash("n3", 8, 0, "bb")
	s.check(Unknown, "n3 was not seen")
	s.hash("n3", 7, 5, "cc") // of another part of the past
	s.check(Unknown, "n3 was not seen")
	s.hash("n3", 7, 0, "bb")
	s.check(Valid, "2 places at which they were compared, 1 of them before the last heal; all 3 agree at the end")
}

// What a node was long ago, or at a revision that nobody named, says nothing of the end.
func TestStateAtTheEnd(t *testing.T) {
	s := newStates(t, "n1", "n2")
	s.hash("n1", 5, 0, "aa")
	s.hash("n2", 5, 0, "aa")
	s.hash("n2", 7, 0, "bb")
	s.settled()
	s.hash("n1", 7, 0, "bb")
	s.hash("n2", 5, 0, "aa")
	s.check(Unknown, "no two nodes were seen at the same place")
	s.hash("n1", 0, 0, "cc")
	s.hash("n2", 0, 0, "dd")
	s.check(Unknown, "no two nodes were seen at the same place")
	s.hash("n2", 7, 0, "bb")
	s.check(Valid, "all 2 agree at the end")
}

// A divergence that was healed is one. The odd node is named, and the first place that differs.
func TestStateNamesTheOddOne(t *testing.T) {
	s := newStates(t, "n1", "n2", "n3")
	for revision, odd := range []string{"a", "a", "x", "x", "x"} {
		for _, node := range []string{"n1", "n2", "n3"} {
			sum := fmt.Sprint("a", revision)
			if node == "n2" {
				sum = fmt.Sprint(odd, revision)
			}
			s.hash(node, uint64(revision+40), 0, sum)
		}
	}
	s.settled()
	for _, node := range []string{"n1", "n2", "n3"} {
		s.hash(node, 90, 0, "healed")
	}
	s.check(Invalid, "at revision 42, n1, n3 have a2, and n2 has x2 (seen at 0.008 s); the odd one is n2; it is the first revision that differs")
}

// How long nodes had differed before that was seen is said, if a client was answered from there by then, and not if
// later.
func TestStateSaysSinceWhen(t *testing.T) {
	for want, answered := range map[string]time.Duration{
		"; revision 42 was reached by 0.002 s, 0.005 s before this was seen": 2 * time.Millisecond,
		"and n2 has y (seen at 0.007 s)":                                     20 * time.Millisecond,
	} {
		h := &history.History{}
		add := func(e history.Event) {
			e.Index = h.Len()
			require.NoError(t, h.Append(e))
		}
		answer := func() {
			add(history.Event{At: answered, Process: 1, Kind: history.Invoke, F: "write", Key: "k", Value: json.RawMessage("1")})
			add(history.Event{
				At: answered, Process: 1, Kind: history.OK, F: "write", Key: "k", Stamp: history.Stamp{Revision: 43},
			})
		}
		if answered < 7*time.Millisecond {
			answer()
		}
		for node, sum := range map[string]string{"n1": "x", "n2": "y"} {
			note(t, h, 7, history.Observer, history.FHash, node, history.Hash{Revision: 42, Sum: sum})
		}
		if answered > 7*time.Millisecond {
			answer()
		}
		r := check(t, "state", h)
		require.Equal(t, Invalid, r.Verdict)
		if answered > 7*time.Millisecond {
			require.NotContains(t, r.Why, "was reached by")
			continue
		}
		require.Contains(t, r.Why, want)
	}
}

// What the target documents is said beside what was found.
func TestTheCaveatIsSaid(t *testing.T) {
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Version: 1, Caveat: "the manual says so"})
	for _, o := range []op2{{"write", "1"}, {"read", "2"}} {
		require.NoError(t, h.Append(history.Event{Process: 1, Kind: history.Invoke, F: o.f, Key: "k", Value: json.RawMessage(map[string]string{"write": "1"}[o.f])}))
		require.NoError(t, h.Append(history.Event{Process: 1, Kind: history.OK, F: o.f, Key: "k", Value: json.RawMessage(o.value)}))
	}
	r := check(t, "linear", h)
	require.Equal(t, Invalid, r.Verdict)
	require.True(t, strings.HasSuffix(r.Why, "; the manual says so"), r.Why)
}

type op2 struct{ f, value string }

func TestStats(t *testing.T) {
	r := check(t, "stats", historyOf(t, wrote("k", 1, 0, 4), read("k", "1", 5, 6), failed(swapped("k", 1, 2, 7, 8)), inDoubt(wrote("k", 3, 9, 10))))
	require.Equal(t, Unknown, r.Verdict)
	require.Equal(t, "cas never succeeded (cas 0 ok, 1 fail, 0 info; read 1 ok, 0 fail, 0 info; write 1 ok, 0 fail, 1 info): more clients, a longer run or another mix may help", r.Why)
	var counts map[string]Counts
	require.NoError(t, json.Unmarshal(r.Attach[0].Data, &counts))
	require.Equal(t, ms(4), counts["write"].P50)
	require.Equal(t, Valid, check(t, "stats", historyOf(t, wrote("k", 1, 0, 4))).Verdict)
	require.Equal(t, Unknown, check(t, "stats", &history.History{}).Verdict)

	// What clients were to call, and never did, was not tested; nor was what succeeded only while nothing was broken.
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Operations: []string{"cas", "read"}})
	require.Contains(t, check(t, "stats", h).Why, "cas, read never succeeded")
	good := aRun()
	require.Equal(t, Valid, check(t, "stats", good.history(t)).Verdict)
	calm := aRun()
	calm.duringReads = 0
	require.Contains(t, check(t, "stats", calm.history(t)).Why, "read never succeeded while there were faults (read ")
}

// BenchmarkLeader folds claims and statuses as a long run leaves them: a node's word comes again and again.
func BenchmarkLeader(b *testing.B) {
	const observations = 1_000_000
	h := &history.History{}
	for i := range observations {
		term := uint64(i/1000 + 1)
		e := history.Event{At: time.Duration(i), Process: history.Observer, Kind: history.Note, F: history.FClaim, Node: fmt.Sprint("n", term%5)}
		e.Value = fmt.Appendf(nil, `{"term":%d,"source":"log"}`, term)
		require.NoError(b, h.Append(e))
	}
	for b.Loop() {
		require.Equal(b, Valid, leader{}.Check(b.Context(), h).Verdict)
	}
	b.ReportMetric(observations*float64(b.N)/b.Elapsed().Seconds(), "observations/s")
}
