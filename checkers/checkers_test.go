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
	_, err := Run(t.Context(), &history.History{}, []string{"liner"}, Defaults)
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
		require.Contains(t, r.Why, "; so have 1 more terms")
	})
}

func TestState(t *testing.T) {
	status := func(t *testing.T, h *history.History, node string, applied uint64, hash string) {
		note(t, h, 1, history.Observer, history.FStatus, node, history.Status{Applied: applied, Hash: hash})
	}
	h := &history.History{}
	status(t, h, "n1", 5, "aa")
	status(t, h, "n1", 5, "aa")
	status(t, h, "n1", 0, "00")
	status(t, h, "n2", 0, "00")
	require.Equal(t, Unknown, check(t, "state", h).Verdict, "one node says nothing about another, and nothing is no state")
	status(t, h, "n2", 6, "bb")
	status(t, h, "n2", 5, "aa")
	require.Equal(t, Valid, check(t, "state", h).Verdict)
	status(t, h, "n3", 6, "cc")
	r := check(t, "state", h)
	require.Equal(t, Invalid, r.Verdict)
	require.Equal(t, "the nodes' states have diverged: at index 6, n2 has hash bb and n3 has cc", r.Why)
}

func TestStateByRevision(t *testing.T) {
	h := &history.History{}
	hash := func(node string, revision uint64, sum string) {
		note(t, h, 1, history.Observer, history.FHash, node, history.Hash{Revision: revision, Sum: sum})
	}
	note(t, h, 0, history.Controller, history.FPhase, "", history.PhaseRecover)
	note(t, h, 1, history.Observer, history.FStatus, "n1", history.Status{Applied: 7, Hash: "zz"})
	hash("n1", 7, "aa")
	require.Equal(t, Unknown, check(t, "state", h).Verdict, "an index is no revision")
	hash("n2", 7, "aa")
	require.Equal(t, Valid, check(t, "state", h).Verdict)
	hash("n3", 7, "bb")
	r := check(t, "state", h)
	require.Equal(t, Invalid, r.Verdict)
	require.Equal(t, "the nodes' states have diverged: at revision 7, n1 has hash aa and n3 has bb", r.Why)
}

// Two nodes that agree say nothing of a third.
func TestStateOfEveryNode(t *testing.T) {
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Version: 1, Nodes: []string{"n1", "n2", "n3"}})
	note(t, h, 0, history.Controller, history.FPhase, "", history.PhaseRecover)
	hash := func(node string, h2 history.Hash) { note(t, h, 1, history.Observer, history.FHash, node, h2) }
	hash("n1", history.Hash{Revision: 7, Sum: "aa"})
	hash("n2", history.Hash{Revision: 7, Sum: "aa"})
	hash("n3", history.Hash{Revision: 8, Sum: "aa"})
	r := check(t, "state", h)
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "n3 was not seen")
	hash("n3", history.Hash{Revision: 7, Since: 5, Sum: "bb"})
	require.Equal(t, Unknown, check(t, "state", h).Verdict, "of another part of the past")
	hash("n3", history.Hash{Revision: 7, Sum: "aa"})
	require.Equal(t, Valid, check(t, "state", h).Verdict)
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
	require.Equal(t, "cas never succeeded (cas 0 ok, 1 fail, 0 info; read 1 ok, 0 fail, 0 info; write 1 ok, 0 fail, 1 info)", r.Why)
	var counts map[string]Counts
	require.NoError(t, json.Unmarshal(r.Attach[0].Data, &counts))
	require.Equal(t, ms(4), counts["write"].P50)
	require.Equal(t, Valid, check(t, "stats", historyOf(t, wrote("k", 1, 0, 4))).Verdict)
	require.Equal(t, Unknown, check(t, "stats", &history.History{}).Verdict)
}

// aRun makes the history of a run with faults; change may spoil it.
type aRun struct {
	nemesis                      string
	before, during, after        int
	lastRead                     bool
	confirmed, healed, recovered bool
	exit, cutShort, neverServed  bool
}

func (a aRun) history(t *testing.T) *history.History {
	h := &history.History{}
	now, process := 0, 0
	phase := func(p history.Phase) { now++; note(t, h, now, history.Controller, history.FPhase, "", p) }
	nemesis := func(kind history.Kind, f, value, err string) {
		now++
		require.NoError(t, h.Append(history.Event{At: ms(now), Process: history.Nemesis, Kind: kind, F: f, Value: json.RawMessage(value), Err: err}))
	}
	ops := func(n int) {
		for range n {
			now++
			process++
			e := history.Event{At: ms(now), Process: process, Kind: history.Invoke, F: "read", Node: "n1", Key: "k"}
			require.NoError(t, h.Append(e))
			e.Kind = history.OK
			require.NoError(t, h.Append(e))
		}
	}
	note(t, h, now, history.Controller, history.FTest, "", history.Test{Nemesis: a.nemesis, Nodes: []string{"n1", "n3"}})
	phase(history.PhaseLaunch)
	if a.neverServed {
		return h
	}
	phase(history.PhaseLoad)
	ops(a.before)
	if a.nemesis != "none" {
		nemesis(history.Invoke, "kill", `{"id":0,"fault":{"nodes":["n1"]}}`, "")
		if a.confirmed {
			nemesis(history.OK, "kill", `{"id":0}`, "")
		} else {
			nemesis(history.Info, "kill", `{"id":0}`, "it would not die")
		}
	}
	ops(a.during)
	if a.exit {
		now++
		require.NoError(t, h.Append(history.Event{At: ms(now), Process: history.Observer, Kind: history.Note, F: history.FExit, Node: "n2"}))
	}
	if a.nemesis != "none" {
		nemesis(history.Invoke, history.FHeal, `{"id":0}`, "")
		if a.healed {
			nemesis(history.OK, history.FHeal, `{"id":0}`, "")
		}
	}
	ops(a.after)
	phase(history.PhaseHeal)
	phase(history.PhaseRecover)
	if a.recovered {
		phase(history.PhaseFinal)
		if a.lastRead {
			now++
			for _, node := range []string{"n1", "n3"} {
				process++
				e := history.Event{At: ms(now), Process: process, Kind: history.Invoke, F: "read", Node: node, Key: "k"}
				require.NoError(t, h.Append(e))
				e.Kind = history.OK
				require.NoError(t, h.Append(e))
			}
		} else {
			ops(1)
		}
	}
	if !a.cutShort {
		phase(history.PhaseEnd)
	}
	return h
}

func TestProgress(t *testing.T) {
	good := aRun{nemesis: "kill", before: 20, during: 20, after: 20, lastRead: true, confirmed: true, healed: true, recovered: true}
	r := check(t, "progress", good.history(t))
	require.Equal(t, Valid, r.Verdict, r.Why)
	require.Equal(t, "1 faults, all confirmed; 20 operations succeeded before, 20 during and 20 after them", r.Why)

	calm := good
	calm.nemesis = "none"
	require.Equal(t, Valid, check(t, "progress", calm.history(t)).Verdict)

	for want, spoil := range map[string]func(*aRun){
		"the cluster never served":                                                    func(a *aRun) { a.neverServed = true },
		"only 3 operations succeeded before":                                          func(a *aRun) { a.before = 3 },
		"only 3 operations succeeded between":                                         func(a *aRun) { a.during = 3 },
		"only 3 operations succeeded after":                                           func(a *aRun) { a.after = 3 },
		"1 of 1 faults were not confirmed to act: kill at 0.023 s (it would not die)": func(a *aRun) { a.confirmed = false },
		"a fault was never healed":                                                    func(a *aRun) { a.healed = false },
		"did not recover":                                                             func(a *aRun) { a.recovered = false },
		"n2 ended by itself":                                                          func(a *aRun) { a.exit = true },
		"cut short":                                                                   func(a *aRun) { a.cutShort = true },
		"the last operations at n3 did not all succeed":                               func(a *aRun) { a.lastRead = false },
		"only 29 operations succeeded":                                                func(a *aRun) { a.nemesis, a.before, a.during, a.after, a.lastRead = "none", 28, 0, 0, false },
	} {
		a := good
		spoil(&a)
		r := check(t, "progress", a.history(t))
		require.Equal(t, Unknown, r.Verdict, want)
		require.Contains(t, r.Why, want)
	}

	t.Run("a nemesis that never struck", func(t *testing.T) {
		h := &history.History{}
		note(t, h, 0, history.Controller, history.FTest, "", history.Test{Nemesis: "mix"})
		note(t, h, 1, history.Controller, history.FPhase, "", history.PhaseLoad)
		require.Equal(t, "no fault was injected", check(t, "progress", h).Why)
	})
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
