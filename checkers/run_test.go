package checkers

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// run describes a run with faults of which a history is to be made. Its times are of a calm second, a fault of a
// second, and another calm one, for each fault.
type run struct {
	test                  history.Test
	faults                []aFault
	perSecond             int
	duringReads           int  // a second, while there is a fault
	quiet                 bool // few calls succeed while there is a fault
	lastReads             map[string][]string
	last                  *history.Last
	machine               history.Machine
	silent                time.Duration // no call succeeds for so long after the last heal
	recovers, ends, loads bool
	exit                  string
	why                   string        // it did not recover
	slow                  time.Duration // the members take to agree after the last heal
	unserved              bool          // it is said that it did not recover, and it goes on
}

type aFault struct {
	f, what   string
	confirmed bool
	nothing   bool
	err       string
	unhealed  bool
}

// aRun is one that proves something.
func aRun() run {
	return run{
		test:      history.Test{Nemesis: "kill", Nodes: []string{"n1", "n2", "n3"}, Operations: []string{"read", "write"}},
		faults:    []aFault{{f: "kill", what: `{"nodes":["n1"]}`, confirmed: true}, {f: "kill", what: `{"nodes":["n2"]}`, confirmed: true}, {f: "kill", what: `{"nodes":["n3"]}`, confirmed: true}},
		perSecond: 100, duringReads: 50,
		lastReads: map[string][]string{"n1": {"k"}, "n2": {"k"}, "n3": {"k"}}, last: &history.Last{Calls: []history.LastCall{{F: "read", Key: "k"}}},
		recovers: true, ends: true, loads: true,
	}
}

func (r run) history(t *testing.T) *history.History {
	h := &history.History{}
	now, process := time.Duration(0), 0
	add := func(e history.Event) {
		e.At = now
		require.NoError(t, h.Append(e))
	}
	say := func(f string, value any) {
		v, err := json.Marshal(value)
		require.NoError(t, err)
		add(history.Event{Process: history.Controller, Kind: history.Note, F: f, Value: v})
	}
	nemesis := func(kind history.Kind, f, value, err string) {
		add(history.Event{Process: history.Nemesis, Kind: kind, F: f, Value: json.RawMessage(value), Err: err})
	}
	call := func(f, node, key string) {
		process++
		e := history.Event{Process: process, Kind: history.Invoke, F: f, Node: node, Key: key}
		if f == "write" {
			e.Value = json.RawMessage("1")
		}
		add(e)
		e.Kind, e.Value = history.OK, json.RawMessage("1")
		add(e)
	}
	second := func(writes, reads int) {
		start := now
		for i := range writes + reads {
			now = start + time.Duration(i)*time.Second/time.Duration(writes+reads)
			if f := "write"; i < writes {
				call(f, "n1", "k")
			} else {
				call("read", "n1", "k")
			}
		}
		now = start + time.Second
	}
	r.test.Version = 1
	if r.test.Checkers == nil {
		r.test.Checkers = []string{"linear"}
	}
	say(history.FTest, r.test)
	say(history.FPhase, history.PhaseLaunch)
	if !r.loads {
		return h
	}
	say(history.FPhase, history.PhaseLoad)
	for id, f := range r.faults {
		second(r.perSecond/2, r.perSecond/2)
		nemesis(history.Invoke, f.f, fmt.Sprintf(`{"id":%d,"fault":%s}`, id, f.what), "")
		now++
		if f.confirmed {
			nemesis(history.OK, f.f, fmt.Sprintf(`{"id":%d,"evidence":{"it":"acts"}}`, id), "")
		} else {
			nemesis(history.Info, f.f, fmt.Sprintf(`{"id":%d,"evidence":{},"nothing":%t}`, id, f.nothing), f.err)
		}
		if r.quiet {
			second(6, 6)
		} else {
			second(r.perSecond/2, r.duringReads)
		}
		if f.unhealed {
			continue
		}
		nemesis(history.Invoke, history.FHeal, fmt.Sprintf(`{"id":%d}`, id), "")
		now++
		nemesis(history.OK, history.FHeal, fmt.Sprintf(`{"id":%d}`, id), "")
	}
	if r.exit != "" {
		add(history.Event{Process: history.Observer, Kind: history.Note, F: history.FExit, Node: r.exit, Value: json.RawMessage(`{"log":["one","panic: oh dear"]}`)})
	}
	now += r.silent
	if r.silent == 0 {
		second(r.perSecond/2, r.perSecond/2)
	}
	say(history.FMachine, r.machine)
	say(history.FPhase, history.PhaseRecover)
	now += r.slow
	if r.recovers {
		say(history.FRecovery, history.Recovery{Served: !r.unserved})
		say(history.FPhase, history.PhaseFinal)
		if r.last != nil {
			say(history.FLast, r.last)
		}
		now++
		for _, node := range []string{"n1", "n2", "n3"} {
			for _, key := range r.lastReads[node] {
				call("read", node, key)
			}
		}
	} else {
		now += 30 * time.Second
		say(history.FRecovery, history.Recovery{Why: r.why})
	}
	if r.ends {
		say(history.FPhase, history.PhaseEnd)
	}
	return h
}

// Each veto of progress, planted.
func TestProgress(t *testing.T) {
	good := aRun()
	r := check(t, "progress", good.history(t))
	require.Equal(t, Valid, r.Verdict, r.Why)
	require.Equal(t, "3 faults, all confirmed; 100 operations succeeded before, 500 during and 99 after them, 100 a second while a quorum could be reached", r.Why)
	calm := aRun()
	calm.test.Nemesis, calm.faults = "none", nil
	require.Equal(t, Valid, check(t, "progress", calm.history(t)).Verdict)

	for want, spoil := range map[string]func(*run){
		"the cluster never served": func(r *run) { r.loads = false },
		"no fault was injected":    func(r *run) { r.faults = nil },
		"1 of 3 faults were not confirmed to act: kill at 1.000 s (it would not die)": func(r *run) { r.faults[0].confirmed, r.faults[0].err = false, "it would not die" },
		"a fault was never healed":            func(r *run) { r.faults[2].unhealed = true },
		"the run was cut short":               func(r *run) { r.ends = false },
		"did not recover after the last heal": func(r *run) { r.recovers, r.why = false, "n2 knows no leader" },
		"n2 ended by itself at 6.000 s: the last that it wrote is panic: oh dear": func(r *run) { r.exit = "n2" },
		"only 194 operations succeeded in the 7.0 s in which a quorum could be reached: 27.7 a second, and 50 are wanted (--min-rate)": func(r *run) {
			r.perSecond, r.duringReads = 20, 28
		},
		"and 80.5 are wanted": func(r *run) { r.test.MinRate, r.perSecond, r.duringReads = 80.5, 80, 40 },
		"only 12 operations succeeded between the first fault and the last heal in the 1.0 s in which a quorum could be reached: 12 a second, and 40 are wanted": func(r *run) {
			r.faults, r.perSecond, r.test.MinRate, r.quiet = r.faults[:1], 400, 200, true
		},
		"only 6 operations succeeded before":  func(r *run) { r.perSecond, r.duringReads, r.test.MinRate = 6, 60, 1 },
		"only 0 operations succeeded after":   func(r *run) { r.silent = time.Second },
		"nothing was read at the end":         func(r *run) { r.last, r.lastReads = nil, nil },
		"nothing was read at the end, so":     func(r *run) { r.last = &history.Last{Calls: []history.LastCall{}} },
		"does not say which nodes there were": func(r *run) { r.test.Nodes = nil },
		"read of key k was not tried at n3":   func(r *run) { r.lastReads = map[string][]string{"n1": {"k"}, "n2": {"k"}} },
		"read of key j was not tried at n1":   func(r *run) { r.last.Calls = append(r.last.Calls, history.LastCall{F: "read", Key: "j"}) },
		"none was ever written": func(r *run) {
			r.last.Calls[0].Key, r.lastReads = "j", map[string][]string{"n1": {"j"}, "n2": {"j"}, "n3": {"j"}}
		},
		"read of key j was not tried at n2": func(r *run) { r.last, r.lastReads["n1"] = nil, []string{"j", "k"} },
	} {
		spoilt := aRun()
		spoil(&spoilt)
		r := check(t, "progress", spoilt.history(t))
		require.Equal(t, Unknown, r.Verdict, want)
		require.Contains(t, r.Why, want)
	}
}

// What succeeds while a fault is set up, or taken down, is neither before it nor under it.
func TestOnlyWhatIsUnderFaultsCounts(t *testing.T) {
	r := aRun()
	r.faults, r.duringReads, r.test.MinRate = r.faults[:1], 0, 1
	r.perSecond = 16
	require.Contains(t, check(t, "progress", r.history(t)).Why, "only 8 operations succeeded between the first fault and the last heal")
}

// A last read that fails is one that was not made.
func TestLastReadsThatFail(t *testing.T) {
	r := aRun()
	r.lastReads["n3"] = nil
	r.ends = false
	h := r.history(t)
	fail := func(kind history.Kind) {
		require.NoError(t, h.Append(history.Event{At: h.End() + 1, Process: 1 << 20, Kind: history.Invoke, F: "read", Node: "n3", Key: "k"}))
		require.NoError(t, h.Append(history.Event{At: h.End() + 1, Process: 1 << 20, Kind: kind, F: "read", Node: "n3", Key: "k"}))
	}
	fail(history.Fail)
	end := history.Event{At: h.End(), Process: history.Controller, Kind: history.Note, F: history.FPhase, Value: json.RawMessage(`"end"`)}
	require.Equal(t, "the run was cut short: let it come to its end", check(t, "progress", h).Why)
	fail(history.OK)
	end.At = h.End()
	require.NoError(t, h.Append(end))
	require.Equal(t, Valid, check(t, "progress", h).Verdict)

	r.ends = true
	h = r.history(t)
	require.Contains(t, check(t, "progress", h).Why, "not tried at n3")
}

// One fault that did nothing, and says so, is left out where enough others acted.
func TestFaultsThatDidNothing(t *testing.T) {
	r := aRun()
	r.faults = append(r.faults, aFault{f: "pause", what: `{"nodes":["n1"]}`, nothing: true, err: "unable to freeze"})
	result := check(t, "progress", r.history(t))
	require.Equal(t, Valid, result.Verdict, result.Why)
	require.Contains(t, result.Why, "4 faults, of which 1 did nothing and are left out")
	r.faults[3].nothing = false
	require.Contains(t, check(t, "progress", r.history(t)).Why, "1 of 4 faults were not confirmed to act")
	r.faults[3].nothing, r.faults[2].nothing, r.faults[2].confirmed = true, true, false
	require.Contains(t, check(t, "progress", r.history(t)).Why, "2 of 4 faults were not confirmed to act")
}

// A cluster that is whole must serve, in time, unless the machine had no time for it.
func TestRecovery(t *testing.T) {
	good := aRun()
	r := check(t, "recovery", good.history(t))
	require.Equal(t, Valid, r.Verdict)
	require.Contains(t, r.Why, "after the last heal the first call succeeded within 0.000 s; the longest time without a success was 0.0")
	var a Availability
	require.NoError(t, json.Unmarshal(r.Attach[0].Data, &a))
	require.Equal(t, 3, a.AfterFault.N)
	require.Equal(t, 3, a.AfterHeal.N)

	calm := aRun()
	calm.test.Nemesis, calm.faults = "none", nil
	require.Contains(t, check(t, "recovery", calm.history(t)).Why, "nothing was broken, and the first call succeeded after 0.000 s")

	starved := history.Machine{Idle: 0, Ours: 0.4, Others: 0.6}
	for want, c := range map[string]struct {
		spoil   func(*run)
		verdict Verdict
	}{
		"the cluster does not serve: for 40.000 s after the last heal (6.000 s), with the network whole and all members up, no call succeeded; 30s is the bound": {
			func(r *run) { r.silent, r.recovers = 40*time.Second, false }, Invalid},
		"the cluster was slow to serve: the first call succeeded 40.000 s after the last heal": {
			func(r *run) { r.silent = 40 * time.Second }, Invalid},
		"5s is the bound": {func(r *run) { r.silent, r.test.RecoverWithin = 6*time.Second, 5*time.Second }, Invalid},
		"the cluster does not recover: 31.000 s after the last heal (6.000 s), with the network whole and all members up, n2 knows no leader": {
			func(r *run) { r.recovers, r.why = false, "n2 knows no leader" }, Invalid},
		"but the machine was starved: others used 60 % of its processors, and 0 % was idle": {
			func(r *run) { r.recovers, r.why, r.machine = false, "n2 knows no leader", starved }, Unknown},
		"slow to recover: its members agreed on a leader 51.000 s after the last heal": {func(r *run) { r.slow = 50 * time.Second }, Invalid},
		"went on as if it had":                   {func(r *run) { r.unserved = true }, Unknown},
		"sooner than the cluster had to recover": {func(r *run) { r.recovers, r.test.RecoverWithin = false, time.Minute }, Unknown},
		"was never healed":                       {func(r *run) { r.faults[1].unhealed = true }, Unknown},
		"not all members were up":                {func(r *run) { r.exit = "n1" }, Unknown},
		"nothing to recover":                     {func(r *run) { r.loads = false }, Unknown},
	} {
		spoilt := aRun()
		c.spoil(&spoilt)
		r := check(t, "recovery", spoilt.history(t))
		require.Equal(t, c.verdict, r.Verdict, "%s: %s", want, r.Why)
		require.Contains(t, r.Why, want)
	}
}

// A machine that had no time is named, whatever the verdict.
func TestStarved(t *testing.T) {
	require.Empty(t, Starved(&history.History{}))
	for want, m := range map[string]history.Machine{
		"": {Idle: 0.2, Ours: 0.7, Others: 0.1, LateP99: 8 * time.Millisecond, LateMax: 100 * time.Millisecond},
		"the machine was starved: others used 52 % of its processors, and 0 % was idle":          {Ours: 0.48, Others: 0.52},
		"the machine was starved: one time in a hundred the controller came 300ms late or later": {Idle: 1, LateP99: 300 * time.Millisecond},
		"the machine was starved: the controller came 7s late at one time":                       {Idle: 1, LateMax: 7 * time.Second},
	} {
		r := aRun()
		r.machine = m
		require.Equal(t, want, Starved(r.history(t)))
	}
}

// A quorum can be reached or not by what faults took.
func TestReachable(t *testing.T) {
	five := []string{"n1", "n2", "n3", "n4", "n5"}
	links := func(pairs ...string) (list []history.Link) {
		for _, p := range pairs {
			list = append(list, history.Link{From: p[:2], To: p[2:]})
		}
		return list
	}
	fault := func(from, to int, f history.Fault) history.Fault {
		f.Began, f.Healed = ms(from), ms(to)
		return f
	}
	all := stretch{0, ms(100)}
	for name, c := range map[string]struct {
		nodes  []string
		faults []history.Fault
		want   []stretch
	}{
		"nothing is broken":        {five, nil, []stretch{all}},
		"a minority is down":       {five, []history.Fault{fault(10, 20, history.Fault{Took: history.Takes{Down: five[:2]}})}, []stretch{all}},
		"a majority is down":       {five, []history.Fault{fault(10, 20, history.Fault{Took: history.Takes{Down: five[:3]}})}, []stretch{{0, ms(10)}, {ms(20), ms(100)}}},
		"two faults together":      {five, []history.Fault{fault(10, 40, history.Fault{Took: history.Takes{Down: five[:2]}}), fault(20, 30, history.Fault{Took: history.Takes{Down: five[2:3]}})}, []stretch{{0, ms(20)}, {ms(30), ms(100)}}},
		"never healed":             {five, []history.Fault{{Began: ms(50), Healed: history.Never, Took: history.Takes{Down: five}}}, []stretch{{0, ms(50)}}},
		"a cut one way counts":     {five[:3], []history.Fault{fault(10, 20, history.Fault{Took: history.Takes{Cut: links("n1n2", "n2n3", "n3n1")}})}, []stretch{{0, ms(10)}, {ms(20), ms(100)}}},
		"one is in touch with two": {five[:3], []history.Fault{fault(10, 20, history.Fault{Took: history.Takes{Cut: links("n1n2", "n2n1")}})}, []stretch{all}},
		"what is lossy is no way":  {five[:2], []history.Fault{fault(10, 20, history.Fault{Took: history.Takes{Lossy: links("n1n2")}})}, []stretch{{0, ms(10)}, {ms(20), ms(100)}}},
	} {
		require.Equal(t, c.want, reachable(&history.Notes{Test: &history.Test{Nodes: c.nodes}, Faults: c.faults}, all), name)
	}
	require.True(t, within([]stretch{{1, 3}, {5, 7}}, 6))
	require.False(t, within([]stretch{{1, 3}, {5, 7}}, 4))
	require.False(t, within(nil, 4))
	require.Equal(t, time.Duration(3), length([]stretch{{1, 3}, {5, 7}}, stretch{2, 9}))
}

// What Run adds: what cannot be read, and whether a planted bug was found.
func TestRunAdds(t *testing.T) {
	verdicts := func(h *history.History, names []string) (list []string) {
		results, err := Default().Run(t.Context(), h, names, Defaults())
		require.NoError(t, err)
		for _, r := range results {
			list = append(list, fmt.Sprint(r.Checker, " ", r.Verdict))
		}
		return list
	}
	// Two leaders are found although the history does not say what it is of, and something else cannot be read.
	h := &history.History{}
	claim := func(node, value string) {
		require.NoError(t, h.Append(history.Event{Process: history.Observer, Kind: history.Note, F: history.FClaim, Node: node, Value: json.RawMessage(value)}))
	}
	claim("n1", `{"term":7,"source":"log"}`)
	claim("n2", `{"term":7,"source":"log"}`)
	claim("n3", `{"term":"8","source":"log"}`)
	require.Equal(t, []string{"history unknown", "linear unknown", "leader invalid", "state unknown"}, verdicts(h, ForHistory(h)))
	require.Equal(t, []string{"linear"}, ForHistory(historyOf(t, wrote("k", 1, 0, 1))))

	for _, found := range []bool{false, true} {
		h := &history.History{}
		note(t, h, 0, history.Controller, history.FTest, "", history.Test{Bug: "two-votes", Hunt: "sunder run --bug two-votes"})
		note(t, h, 1, history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
		if found {
			note(t, h, 1, history.Observer, history.FClaim, "n2", history.Claim{Term: 1, Source: "log"})
		}
		results, err := Default().Run(t.Context(), h, []string{"leader"}, Defaults())
		require.NoError(t, err)
		require.Equal(t, !found, Missed(results))
		if found {
			require.Equal(t, "the planted bug two-votes was found", results[1].Why)
		} else {
			require.Equal(t, Unknown, Worst(results))
			require.Equal(t, "the planted bug two-votes was not found: this run is made to find it: sunder run --bug two-votes", results[1].Why)
		}
	}
}
