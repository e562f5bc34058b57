package checkers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// grow makes the history of five clients of three registers, one of which answers a read with an older value now and
// then, as often as stale says. Every thousand calls clients go on to other keys.
func grow(t *testing.T, seed uint64, calls int, stale float64) *history.History {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &history.History{}
	values := map[string][]int{}
	open := make([]*history.Event, 5)
	process := []int{0, 1, 2, 3, 4}
	now := time.Duration(0)
	for n := 0; n < calls; {
		now += time.Duration(r.IntN(2_000_000))
		i := r.IntN(len(open))
		e := open[i]
		if e == nil {
			n++
			e = &history.Event{
				At: now, Process: process[i], Kind: history.Invoke, F: "read", Node: "n1",
				Key: fmt.Sprintf("r%d.%d", r.IntN(3), n/1000),
			}
			if r.IntN(2) == 0 {
				e.F, e.Value = "write", json.RawMessage(fmt.Sprint(n))
			}
			open[i] = e
			require.NoError(t, h.Append(*e))
			continue
		}
		open[i] = nil
		end := *e
		end.At, end.Kind = now, history.OK
		switch all := values[e.Key]; {
		case e.F == "write" && r.IntN(20) == 0: // in doubt, and perhaps done
			if r.IntN(2) == 0 {
				values[e.Key] = append(all, n)
			}
			end.Kind, end.Value, end.Err = history.Info, nil, "timeout"
			process[i] += len(open)
			if last := len(values[e.Key]) - 1; last >= 0 && values[e.Key][last] == n {
				var asked int
				require.NoError(t, json.Unmarshal(e.Value, &asked))
				values[e.Key][last] = asked
			}
		case e.F == "write":
			var asked int
			require.NoError(t, json.Unmarshal(e.Value, &asked))
			values[e.Key] = append(all, asked)
		case len(all) > 20 && r.Float64() < stale:
			end.Value = json.RawMessage(fmt.Sprint(all[len(all)-20]))
		case len(all) > 0:
			end.Value = json.RawMessage(fmt.Sprint(all[len(all)-1]))
		default:
			end.Value = json.RawMessage("null")
		}
		require.NoError(t, h.Append(end))
	}
	return h
}

// watch shows a history to a judge, so many events a pass, and returns what it finds, and after which event.
func watch(h *history.History, names []string, pass int) (found []history.Finding, after int) {
	l := Default().Watch(names, Options{})
	l.Stop()                                            // the passes are the test's
	l.findings = make(chan history.Finding, len(names)) // the other one is closed
	for e := range h.Events() {
		l.See(e)
		if (e.Index+1)%pass != 0 && e.Index+1 < h.Len() {
			continue
		}
		l.pass()
		for len(l.findings) > 0 {
			found, after = append(found, <-l.findings), e.Index
		}
	}
	l.now += retireAfter // what came last is judged once nobody calls any more
	l.pass()
	for len(l.findings) > 0 {
		found, after = append(found, <-l.findings), h.Len()
	}
	return found, after
}

// TestLiveFindsWhatIsThere holds what is found while a history grows against what is found of the whole.
func TestLiveFindsWhatIsThere(t *testing.T) {
	invalid := 0
	for seed := range uint64(60) {
		h := grow(t, seed, 3000, []float64{0, 0.0005, 0.01}[seed%3])
		whole, err := Default().Run(context.Background(), h, []string{"linear"}, Options{})
		require.NoError(t, err)
		found, after := watch(h, []string{"linear", "progress"}, 100+int(seed))
		if whole[0].Verdict != Invalid {
			require.Empty(t, found, "seed %d: %s", seed, whole[0].Why)
			continue
		}
		invalid++
		require.Len(t, found, 1, "seed %d: %s", seed, whole[0].Why)
		require.Equal(t, "linear", found[0].Checker)
		require.NotEmpty(t, found[0].Why)
		// It is found soon after its evidence is complete, and no later violation is.
		require.LessOrEqual(t, whole[0].Complete(h), found[0].At+time.Second)
		seen := h.Event(min(after, h.Len()-1)).At
		require.LessOrEqual(t, found[0].At, seen)
	}
	require.Greater(t, invalid, 15)
}

// A key that nobody calls any more is forgotten, and what is read of it later is left to the end.
func TestLiveForgetsKeys(t *testing.T) {
	h := historyOf(t, wrote("k", 1, 0, 1), read("k", "1", 2, 3), wrote("other", 2, 30_000, 30_001), read("k", "1", 31_000, 31_001),
		read("k", "7", 32_000, 32_001))
	found, _ := watch(h, []string{"linear"}, 1)
	require.Empty(t, found, "of a key that was forgotten, nothing is known")
	h = historyOf(t, wrote("k", 1, 0, 1), read("k", "1", 2, 3), read("k", "7", 4, 5))
	found, _ = watch(h, []string{"linear"}, 1)
	require.Len(t, found, 1)
	require.Equal(t, ms(5), found[0].At)
}

func TestLiveOfNotes(t *testing.T) {
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Nodes: []string{"n1", "n2"}})
	note(t, h, 1, history.Observer, history.FClaim, "n1", history.Claim{Term: 3, Source: "log"})
	note(t, h, 5, history.Observer, history.FClaim, "n2", history.Claim{Term: 3, Source: "log"})
	note(t, h, 6, history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 3, Applied: 7, Hash: "a"})
	note(t, h, 9, history.Observer, history.FStatus, "n2", history.Status{Role: "follower", Term: 3, Applied: 7, Hash: "b"})
	found, _ := watch(h, []string{"leader", "state", "linear"}, 1)
	require.Len(t, found, 2)
	require.Equal(t, "leader", found[0].Checker)
	require.Equal(t, ms(5), found[0].At)
	require.Equal(t, "state", found[1].Checker)
	require.Equal(t, ms(9), found[1].At)
}

// Each checker of notes has its turn, also behind one that finds nothing.
func TestLiveAsksAllCheckers(t *testing.T) {
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Nodes: []string{"n1", "n2"}})
	note(t, h, 1, history.Observer, history.FClaim, "n1", history.Claim{Term: 3, Source: "log"})
	note(t, h, 5, history.Observer, history.FClaim, "n2", history.Claim{Term: 3, Source: "log"})
	found, _ := watch(h, []string{"linear", "state", "leader"}, 1)
	require.Len(t, found, 1)
	require.Equal(t, "leader", found[0].Checker)
}

// What was found under way and is not found in the end is our mistake, and no pass.
func TestFindingsAreConfirmed(t *testing.T) {
	h := historyOf(t, wrote("k", 1, 0, 1), read("k", "1", 2, 3))
	noted := &history.History{}
	note(t, noted, 0, history.Controller, history.FTest, "", history.Test{})
	for e := range h.Events() {
		require.NoError(t, noted.Append(e))
	}
	note(t, noted, 4, history.Controller, history.FFinding, "", history.Finding{Checker: "linear", Why: "it was so"})
	results, err := Default().Run(context.Background(), noted, []string{"linear"}, Options{})
	require.NoError(t, err)
	last := results[len(results)-1]
	require.Equal(t, "live", last.Checker)
	require.Equal(t, Unknown, last.Verdict)
	require.Contains(t, last.Why, "it was so")
}

// Of locks, what is found while a history grows, event by event, is what is found of the whole.
func TestLiveOfLocks(t *testing.T) {
	verdicts := map[Verdict]int{}
	for seed := range uint64(100) {
		h := randomLocks(t, rand.New(rand.NewPCG(seed, 7))).history()
		names := []string{"mutex", "fencing"}
		whole, err := Default().Run(t.Context(), h, names, Options{})
		require.NoError(t, err)
		found, _ := watch(h, names, 1)
		var late []string
		for _, f := range found {
			late = append(late, f.Checker)
			require.NotEqual(t, history.Never, f.At)
		}
		for _, r := range whole {
			verdicts[r.Verdict]++
			require.Equal(t, r.Verdict == Invalid, slices.Contains(late, r.Checker), "seed %d: %s: %s", seed, r.Checker, r.Why)
		}
	}
	require.Greater(t, verdicts[Invalid], 40)
	require.Greater(t, verdicts[Valid]+verdicts[Unknown], 40)
}

// A run that is too long to be looked at from its beginning each time is left to the end.
func TestLiveForgetsAWholeThatIsTooLong(t *testing.T) {
	l := Default().Watch([]string{"mutex"}, Options{})
	l.Stop()
	l.whole.judged(time.Second, time.Second)
	l.take(history.Event{At: 2 * time.Second, Process: 1, Kind: history.Invoke, F: "acquire", Key: "a"})
	require.Nil(t, l.whole.due(20*time.Second), "a pass took a second: the next one waits for twenty")
	require.NotNil(t, l.whole.due(21*time.Second))
	require.Nil(t, l.whole.due(22*time.Second), "nothing has come since")
	for i := range liveKeyEvents {
		l.take(history.Event{Index: i + 1, At: 3 * time.Second, Process: -2, Kind: history.Info})
	}
	require.Nil(t, l.whole)
	l.pass()
	l = Default().Watch([]string{"linear"}, Options{})
	l.Stop()
	require.Nil(t, l.whole, "nobody asks for it")
}
