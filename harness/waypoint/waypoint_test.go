package waypoint

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// play shows a tracker a run in short words, one a line: "100 n1 leads 3" at 100 ms. Faults are "kill", "pause" and
// "cut", with a number that the words "acts" and "heals" refer to.
func play(t *testing.T, script string) *Tracker {
	tracker := NewTracker()
	add := func(at, process int, kind history.Kind, f, node string, value any) {
		b, err := json.Marshal(value)
		require.NoError(t, err)
		tracker.See(history.Event{At: time.Duration(at) * time.Millisecond, Process: process, Kind: kind, F: f, Node: node, Value: b})
	}
	add(0, history.Controller, history.Note, history.FTest, "", history.Test{
		Nodes: []string{"n1", "n2", "n3"}, Tells: []string{history.ToldVote}, Timing: &history.Timing{Election: 150 * time.Millisecond},
	})
	names := map[int]string{}
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var at, n int
		_, err := fmt.Sscan(words[0], &at)
		require.NoError(t, err)
		if len(words) > 3 {
			_, _ = fmt.Sscan(words[3], &n)
		}
		switch words[2] {
		case "leads":
			add(at, history.Observer, history.Note, history.FClaim, words[1], history.Claim{Term: uint64(n), Source: "log"})
		case "follows":
			add(at, history.Observer, history.Note, history.FStatus, words[1], history.Status{Role: "follower", Term: 1})
		case history.ToldCandidate, history.ToldVote, history.ToldFollower, history.ToldSendsSnapshot, history.ToldInstalledSnapshot:
			add(at, history.Observer, history.Note, history.FTold, words[1], history.Told{What: words[2], Term: uint64(n)})
		case "writes", "reads":
			add(at, n, history.Invoke, strings.TrimSuffix(words[2], "s"), words[1], nil)
		case "doubts":
			add(at, n, history.Info, "write", words[1], nil)
		case "kill", "pause", "cut", "slow", "move-leader": // id word
			_, _ = fmt.Sscan(words[1], &n)
			v := history.FaultEvent{ID: n, Takes: &history.Takes{}, Fault: json.RawMessage(`{"deeds":[{"deed":"` + words[2] + `"}]}`)}
			for _, who := range words[3:] {
				from, to, link := strings.Cut(who, ">")
				switch {
				case link && words[2] == "slow":
					v.Takes.Slow = append(v.Takes.Slow, history.Link{From: from, To: to})
				case link:
					v.Takes.Cut = append(v.Takes.Cut, history.Link{From: from, To: to})
				default:
					v.Takes.Down = append(v.Takes.Down, who)
				}
			}
			names[n] = words[2]
			add(at, history.Nemesis, history.Invoke, words[2], "", v)
		case "acts":
			_, _ = fmt.Sscan(words[1], &n)
			add(at, history.Nemesis, history.OK, names[n], "", history.FaultEvent{ID: n, Evidence: json.RawMessage(`{"seen":1}`)})
		case "heals":
			_, _ = fmt.Sscan(words[1], &n)
			add(at, history.Nemesis, history.Invoke, history.FHeal, "", history.FaultEvent{ID: n})
			add(at, history.Nemesis, history.OK, history.FHeal, "", history.FaultEvent{ID: n})
		default:
			t.Fatalf("what is %q?", words[2])
		}
	}
	return tracker
}

// Each situation is come to by a run that comes to it, and not by one that almost does.
func TestSituations(t *testing.T) {
	const isolated = "cut n1>n2 n2>n1 n1>n3 n3>n1"
	var tested []string
	for name, c := range map[string]struct{ reaches, misses string }{
		"a leader killed with writes in flight": {
			"1 n1 leads 1\n2 n1 writes 7\n3 0 kill n1\n4 0 acts", "1 n1 leads 1\n2 n1 writes 7\n3 0 kill n2\n4 0 acts",
		},
		"a leader paused with writes in flight": {
			"1 n1 leads 1\n2 n1 writes 7\n3 0 pause n1\n4 0 acts", "1 n1 leads 1\n2 n1 reads 7\n3 0 pause n1\n4 0 acts",
		},
		"a leader cut off from a majority with writes in flight": {
			"1 n1 leads 1\n2 n1 writes 7\n3 0 " + isolated + "\n4 0 acts", "1 n1 leads 1\n2 n1 writes 7\n3 0 cut n1>n2 n2>n1\n4 0 acts",
		},
		"one direction of a link to a leader cut": {
			"1 n1 leads 1\n3 0 cut n1>n2\n4 0 acts", "1 n1 leads 1\n3 0 cut n1>n2 n2>n1\n4 0 acts",
		},
		"a slow link to a leader": {
			"1 n1 leads 1\n3 0 slow n1>n2\n4 0 acts", "1 n1 leads 1\n3 0 slow n3>n2\n4 0 acts",
		},
		"leadership handed over with writes in flight": {
			"1 n1 leads 1\n2 n1 writes 7\n3 0 move-leader n1\n4 0 acts", "1 n1 leads 1\n2 n1 reads 7\n3 0 move-leader n1\n4 0 acts",
		},
		"two candidates in one term": {
			"1 n1 candidate 5\n2 n2 candidate 5", "1 n1 candidate 5\n2 n2 candidate 6\n3 n1 candidate 5",
		},
		"a term that nobody won": {
			"1 n1 candidate 5\n2 n2 candidate 6\n3 n2 leads 6", "1 n1 candidate 5\n2 n1 leads 5\n3 n2 leads 6",
		},
		"a voter killed in the term of its vote": {
			"1 n2 vote 5\n2 0 kill n2\n3 0 acts", "1 n2 vote 5\n2 n1 leads 6\n2 0 kill n2\n3 0 acts",
		},
		"a voter restarted before its term had a leader": {
			"1 n2 vote 5\n2 0 kill n2\n3 0 acts\n4 0 heals", "1 n2 vote 5\n2 0 kill n2\n3 0 acts\n3 n1 leads 5\n4 0 heals",
		},
		"two nodes that believe they lead": {
			"1 n1 leads 1\n2 n2 leads 2", "1 n1 leads 1\n2 n1 follower 1\n2 n2 leads 2",
		},
		"a client that calls a stale leader": {
			"1 n1 leads 1\n2 n2 leads 2\n3 n1 reads 7", "1 n1 leads 1\n2 n2 leads 2\n3 n2 reads 7",
		},
		"a leader paused for longer than its lease": {
			"1 n1 leads 1\n2 0 pause n1\n3 0 acts\n200 0 heals", "1 n1 leads 1\n2 0 pause n1\n3 0 acts\n100 0 heals",
		},
		"a leader resumed after another was elected": {
			"1 n1 leads 1\n2 0 pause n1\n3 0 acts\n4 n2 leads 2\n5 0 heals", "1 n1 leads 1\n2 0 pause n1\n3 0 acts\n5 0 heals",
		},
		"a deposed leader reachable again": {
			"1 n1 leads 1\n2 0 " + isolated + "\n3 0 acts\n4 n2 leads 2\n5 0 heals",
			"1 n1 leads 1\n2 0 " + isolated + "\n2 1 " + isolated + "\n3 0 acts\n3 1 acts\n4 n2 leads 2\n5 0 heals",
		},
		"a deposed leader that leads again within a second": {
			"1 n1 leads 1\n2 n2 leads 2\n3 n1 leads 3", "1 n1 leads 1\n2 n2 leads 2\n3 n3 leads 3\n2000 n1 leads 4",
		},
		"three terms within a second": {
			"1 n1 leads 1\n2 n2 leads 2\n3 n1 leads 3", "1 n1 leads 1\n2 n2 leads 2\n1500 n1 leads 3",
		},
		"a follower that needed a snapshot": {"1 n1 installed-snapshot", "1 n1 sends-snapshot"},
		"a snapshot cut short": {
			"1 n1 sends-snapshot\n2 0 kill n1\n3 0 acts", "1 n1 sends-snapshot\n1 n2 installed-snapshot\n2 0 kill n1\n3 0 acts",
		},
		"a node restarted while cut off": {
			"1 0 " + isolated + "\n2 0 acts\n3 1 kill n1\n4 1 acts\n5 1 heals", "1 0 " + isolated + "\n2 0 acts\n3 1 kill n2\n4 1 acts\n5 1 heals",
		},
		"a node paused while cut off": {
			"1 0 " + isolated + "\n2 0 acts\n3 1 pause n1\n4 1 acts", "1 0 " + isolated + "\n2 0 acts\n3 1 pause n2\n4 1 acts",
		},
		"a majority killed at once": {"1 0 kill n1 n2\n2 0 acts", "1 0 kill n1\n2 0 acts\n3 1 kill n2\n4 1 acts"},
		"all nodes killed at once":  {"1 0 kill n1 n2 n3\n2 0 acts", "1 0 kill n1 n2\n2 0 acts"},
		"a quorum lost for two election timeouts, and back": {
			"1 0 kill n1 n2\n2 0 acts\n400 0 heals", "1 0 kill n1 n2\n2 0 acts\n200 0 heals",
		},
		"a fault upon another": {"1 0 kill n1\n2 0 acts\n3 1 kill n2\n4 1 acts", "1 0 kill n1\n2 0 acts\n3 0 heals\n3 1 kill n2\n4 1 acts"},
		"three faults at once": {
			"1 0 kill n1\n2 0 acts\n3 1 pause n2\n4 1 acts\n5 2 slow n3>n1\n6 2 acts", "1 0 kill n1\n2 0 acts\n3 1 pause n2\n4 1 acts",
		},
		"a fault within an election timeout of a heal": {
			"1 0 kill n1\n2 0 acts\n3 0 heals\n4 1 kill n2\n5 1 acts", "1 0 kill n1\n2 0 acts\n3 0 heals\n400 1 kill n2\n500 1 acts",
		},
		"a leader lost within two election timeouts of its election": {
			"1 n1 leads 1\n2 0 kill n1\n3 0 acts", "1 n1 leads 1\n2 n2 leads 2\n2 0 kill n1\n3 0 acts",
		},
		"calls in doubt while the leader changed": {
			"1 n1 leads 1\n2 n1 writes 7\n3 n2 leads 2\n4 n1 doubts 7", "1 n1 leads 1\n2 n1 writes 7\n4 n1 doubts 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, play(t, c.reaches).Reached(), name)
			require.NotContains(t, play(t, c.misses).Reached(), name)
		})
		tested = append(tested, name)
	}
	require.ElementsMatch(t, Names(), tested)
}

func TestResult(t *testing.T) {
	tracker := play(t, "1 n1 leads 1\n2 n2 leads 2\n3 n1 leads 3\n4 n1 vote 3")
	var unseen []string
	for _, r := range tracker.Result() {
		if r.Name == "two nodes that believe they lead" {
			require.Equal(t, 2, r.Times)
			require.Equal(t, 2*time.Millisecond, r.First)
		}
		if r.Unseen {
			unseen = append(unseen, r.Name)
		}
	}
	require.Contains(t, unseen, "two candidates in one term")
	require.NotContains(t, unseen, "a voter killed in the term of its vote", "the nodes do tell of votes")
	require.Nil(t, Of(&history.History{}))
}
