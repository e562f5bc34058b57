package checkers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// lockHistory builds histories of locks by hand; times are milliseconds.
type lockHistory struct {
	t      *testing.T
	events []timed
	seq    uint64
	high   map[string]uint64
}

type timed struct {
	at int
	history.Event
}

func locks(t *testing.T) *lockHistory { return &lockHistory{t: t, seq: 100, high: map[string]uint64{}} }

func (l *lockHistory) add(at int, e history.Event) {
	l.events = append(l.events, timed{at, e})
}

func (l *lockHistory) call(process int, f, key string, from, to int, kind history.Kind, invoked, answered string) *lockHistory {
	e := history.Event{Process: process, F: f, Key: key, Node: fmt.Sprintf("c%d", process%3+1), Kind: history.Invoke, Value: json.RawMessage(invoked)}
	l.add(from, e)
	e.Kind, e.Value = kind, json.RawMessage(answered)
	l.add(to, e)
	return l
}

// refused says that the last call was refused by the resource.
func (l *lockHistory) refused() *lockHistory {
	l.events[len(l.events)-1].Err = history.Stale
	return l
}

func (l *lockHistory) acquire(process int, key string, from, to int, token uint64) *lockHistory {
	return l.call(process, "acquire", key, from, to, history.OK, "", fmt.Sprintf(`{"token":%d}`, token))
}

func (l *lockHistory) release(process int, key string, from, to int) *lockHistory {
	return l.call(process, "release", key, from, to, history.OK, "", "")
}

// write is a write that reaches the guard in between.
func (l *lockHistory) write(process int, key string, from, at, to int, token uint64, accepted bool) *lockHistory {
	l.seq++ // and not one of those that tests choose themselves
	value := fmt.Sprint(l.seq)
	kind := history.OK
	if !accepted {
		kind = history.Fail
	}
	if l.call(process, "write", key, from, to, kind, value, value); !accepted {
		l.refused()
	}
	return l.guarded(at, process, key, token, l.seq, accepted)
}

// guarded is what the guard says of a write of a value.
func (l *lockHistory) guarded(at, process int, key string, token, value uint64, accepted bool) *lockHistory {
	g, err := json.Marshal(history.Guarded{
		Process: process, Lock: key, Token: token, Value: value, Accepted: accepted,
	})
	require.NoError(l.t, err)
	l.add(at, history.Event{Process: history.Observer, Kind: history.Note, F: history.FGuarded, Node: "guard", Value: g})
	return l
}

func (l *lockHistory) lost(at, told, process int, key string, token uint64) *lockHistory {
	v, err := json.Marshal(history.Lost{Process: process, Lock: key, Token: token, At: ms(at)})
	require.NoError(l.t, err)
	l.add(told, history.Event{Process: history.Observer, Kind: history.Note, F: history.FLost, Node: fmt.Sprintf("c%d", process%3+1), Value: v})
	return l
}

// history puts the events in order, and numbers the guard's as they come.
func (l *lockHistory) history() *history.History {
	var h history.History
	test, err := json.Marshal(history.Test{
		Version: 1, Nodes: []string{"n1"}, Companions: []string{"guard", "c1", "c2", "c3"}, Checkers: []string{"mutex"},
	})
	require.NoError(l.t, err)
	require.NoError(l.t, h.Append(history.Event{Process: history.Controller, Kind: history.Note, F: history.FTest, Value: test}))
	for _, p := range []history.Phase{history.PhaseLaunch, history.PhaseLoad} {
		v, _ := json.Marshal(p)
		require.NoError(l.t, h.Append(history.Event{Process: history.Controller, Kind: history.Note, F: history.FPhase, Value: v}))
	}
	slices.SortStableFunc(l.events, func(a, b timed) int { return a.at - b.at })
	seq := uint64(0)
	for _, e := range l.events {
		if e.F == history.FGuarded {
			var g history.Guarded
			require.NoError(l.t, json.Unmarshal(e.Value, &g))
			seq++
			g.Seq = seq
			e.Value, _ = json.Marshal(g)
		}
		e.At = ms(e.at)
		require.NoError(l.t, h.Append(e.Event))
	}
	require.NoError(l.t, h.Notes().Err())
	return &h
}

// Where tenures end decides everything: each end is taken so that the tenure only becomes shorter.
func TestTenures(t *testing.T) {
	h := locks(t).
		acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).release(1, "a", 20, 30).
		acquire(2, "a", 5, 40, 2).write(2, "a", 41, 42, 43, 2, true).lost(50, 55, 2, "a", 2).
		call(2, "write", "a", 60, 61, history.Fail, "9", "").
		acquire(4, "a", 56, 70, 3).write(4, "a", 80, 85, 90, 3, true).call(4, "write", "a", 95, 99, history.Info, "7", "").
		acquire(5, "b", 0, 10, 1).call(5, "release", "b", 20, 21, history.Info, "", "").
		acquire(7, "b", 22, 30, 2).write(7, "b", 40, 41, 42, 2, false).
		history()
	got, err := tenuresOf(h)
	require.NoError(t, err)
	ends := map[int]string{}
	for _, one := range got.All {
		ends[one.Process] = fmt.Sprintf("%s %s %d-%d", one.Lock, one.Ended, one.From/time.Millisecond, one.Until/time.Millisecond)
	}
	require.Equal(t, map[int]string{
		1: "a released 10-20", 2: "a told 40-50", 4: "a unheard 70-80", 5: "b unheard 10-10", 7: "b refused 30-40",
	}, ends)
	require.Equal(t, 1, got.Refused)
	require.Empty(t, got.Overlaps)

	for want, h := range map[string]*lockHistory{
		`the answer to acquire`:              locks(t).call(1, "acquire", "a", 0, 1, history.OK, "", `{}`),
		`process 1 has a twice`:              locks(t).acquire(1, "a", 0, 1, 1).acquire(1, "a", 2, 3, 2),
		`which it did not call`:              locks(t).acquire(1, "a", 0, 1, 1).guarded(5, 1, "a", 1, 9, true),
		`by process 2 with token 1 of a, wh`: locks(t).acquire(1, "a", 0, 1, 1).call(1, "write", "a", 2, 9, history.OK, "9", "9").guarded(5, 2, "a", 1, 9, true),
		`with token 2 of a, which it did no`: locks(t).acquire(1, "a", 0, 1, 1).call(1, "write", "a", 2, 9, history.OK, "9", "9").guarded(5, 1, "a", 2, 9, true),
		`of b, which it did not call`:        locks(t).acquire(1, "a", 0, 1, 1).call(1, "write", "a", 2, 9, history.OK, "9", "9").guarded(5, 1, "b", 1, 9, true),
		`each another one`:                   locks(t).acquire(1, "a", 0, 1, 1).call(1, "write", "a", 2, 3, history.OK, "9", "9").call(1, "write", "a", 4, 5, history.OK, "9", "9"),
		`guarded writes have numbers`:        locks(t).acquire(1, "a", 0, 1, 1).call(1, "write", "a", 2, 3, history.OK, `"x"`, "9"),
	} {
		_, err := tenuresOf(h.history())
		require.ErrorContains(t, err, want)
		require.Equal(t, Unknown, mutex{}.Check(t.Context(), h.history()).Verdict)
		require.Equal(t, Unknown, fencing{}.Check(t.Context(), h.history()).Verdict)
	}
}

// What the clients and the resource see is the same as what an oracle finds that looks at every pair and every moment.
func TestTenuresAgainstAnOracle(t *testing.T) {
	found := map[bool]int{}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 7))
		l := randomLocks(t, r)
		h := l.history()
		got, err := tenuresOf(h)
		require.NoError(t, err)
		overlap := false
		for i, a := range got.All {
			for _, b := range got.All[i+1:] {
				for at := time.Duration(0); at < h.End() && a.Lock == b.Lock; at += time.Millisecond {
					overlap = overlap || a.From <= at && at < a.Until && b.From <= at && at < b.Until
				}
			}
		}
		late := false
		for i, w := range got.Writes {
			for _, v := range got.Writes[i+1:] {
				a, b := got.All[w.Tenure], got.All[v.Tenure]
				late = late || w.Lock == v.Lock && w.Accepted && v.Accepted && b.Index < a.Index
			}
		}
		require.Equal(t, overlap, len(got.Overlaps) > 0, "seed %d", seed)
		_, isLate := got.late()
		require.Equal(t, late, isLate, "seed %d", seed)
		verdict := mutex{}.Check(t.Context(), h).Verdict
		require.Equal(t, overlap || late, verdict == Invalid, "seed %d", seed)
		found[overlap || late]++

		stale := false
		for i, w := range got.Writes {
			for _, v := range got.Writes[i+1:] {
				stale = stale || w.Lock == v.Lock && w.Accepted && v.Accepted && v.Token < w.Token
			}
		}
		for i, a := range got.All {
			for j, b := range got.All {
				stale = stale || i != j && a.Lock == b.Lock && (a.Token == b.Token || a.From < b.Asked && a.Token > b.Token)
			}
		}
		require.Equal(t, stale, fencing{}.Check(t.Context(), h).Verdict == Invalid, "seed %d", seed)
	}
	require.Greater(t, min(found[true], found[false]), 150, "%v", found)
}

// randomLocks are a few clients that take one of two locks each, mostly in turn.
func randomLocks(t *testing.T, r *rand.Rand) *lockHistory {
	l := locks(t)
	now, token := map[string]int{}, map[string]uint64{}
	for process := range 2 + r.IntN(5) {
		key := []string{"a", "b"}[r.IntN(2)]
		from := now[key] + r.IntN(6) - r.IntN(16)
		from = max(from, 0)
		token[key]++
		mine := token[key]
		if r.IntN(12) == 0 && mine > 1 {
			mine--
		}
		got := from + 1 + r.IntN(5)
		l.acquire(process, key, from, got, mine)
		at := got
		for range r.IntN(3) {
			reached := at + 1 + r.IntN(4)
			l.write(process, key, at, reached, reached+r.IntN(3), mine, r.IntN(8) > 0)
			if at = reached + 3; l.events[len(l.events)-2].Kind == history.Fail {
				break
			}
		}
		if last := l.events[len(l.events)-1]; last.Kind == history.Fail || len(l.events) > 1 && l.events[len(l.events)-2].Kind == history.Fail {
			now[key] = at
			continue
		}
		switch r.IntN(3) {
		case 0:
			l.lost(at, at+r.IntN(4), process, key, mine)
		case 1:
			l.release(process, key, at, at+1)
		}
		now[key] = at + 1
	}
	return l
}
