package score

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// aScore is one of two profiles: the second finds less, and takes a right system for a wrong one.
func aScore() Score {
	s := Score{Schema: 1, Started: time.Unix(1_800_000_000, 0).UTC(), Limit: time.Minute, Profiles: []string{"swarm", "fixed"}}
	for seed := range uint64(10) {
		for _, bug := range []string{"easy", "hard", "hidden"} {
			for _, p := range s.Profiles {
				r := Run{Profile: p, Bug: bug, HeldOut: bug == "hidden", Seed: seed, Status: Found, After: 2 * time.Second, Checker: "linear"}
				if bug == "hard" && (p == "fixed" || seed < 2) {
					r.Status, r.After, r.Checker = Missed, time.Minute, ""
				}
				s.Runs = append(s.Runs, r)
			}
		}
		s.Runs = append(s.Runs, Run{Profile: "swarm", Seed: seed, Status: Passed, Rate: 100, Reached: []string{"two candidates in one term"}},
			Run{Profile: "fixed", Seed: seed, Status: Passed})
	}
	s.Runs[len(s.Runs)-1].Status, s.Runs[len(s.Runs)-1].Why = Alarm, "a read of <1> is stale"
	return s
}

func TestRowsAndTotals(t *testing.T) {
	s := aScore()
	rows := s.Rows("swarm")
	require.Len(t, rows, 3)
	require.Equal(t, "hard", rows[1].Bug)
	require.Equal(t, 8, rows[1].Found)
	require.Equal(t, []string{"linear"}, rows[1].First)
	tuned, held := s.Totals("swarm", false), s.Totals("swarm", true)
	require.InDelta(t, 0.9, tuned.Recall, 1e-9)
	require.Equal(t, 1, tuned.Sure)
	require.Equal(t, 2, tuned.Bugs)
	require.InDelta(t, 1, held.Recall, 1e-9)
	require.Equal(t, 2*time.Second, tuned.Median)
	require.Equal(t, 1, s.Right("fixed").Alarms)
	require.Equal(t, Right{Runs: 10, Passed: 10, Most: s.Right("swarm").Most, Rate: 100}, s.Right("swarm"))
	require.InDelta(t, 0.277, s.Right("swarm").Most, 0.001)
	c := s.Compare("swarm", "fixed")
	require.Equal(t, 30, c.Pairs)
	require.Equal(t, 8, c.Only1)
	require.Zero(t, c.Only2)
	require.Less(t, c.P, 0.01)
	require.Less(t, c.Mean1, c.Mean2)
}

// What a former score found and this one does not, by more than chance explains, is lost.
func TestLost(t *testing.T) {
	before, now := aScore(), Score{Profiles: []string{"swarm"}}
	for seed := range uint64(4) {
		now.Runs = append(now.Runs, Run{Profile: "swarm", Bug: "easy", Seed: seed, Status: Missed},
			Run{Profile: "swarm", Bug: "hard", Seed: seed, Status: Found})
	}
	require.Equal(t, []string{"easy"}, now.Lost(before, "swarm"))
	now.Runs[2].Status = Found
	require.Equal(t, []string{"easy"}, now.Lost(before, "swarm"), "1 of 4 after 10 of 10")
	now.Runs = now.Runs[1:4]
	require.Empty(t, now.Lost(before, "swarm"), "one run says little")
	now.Runs[1].Status = Broken
	require.Equal(t, []string{"easy"}, now.Lost(before, "swarm"), "it was looked for, and nobody knows")
	require.False(t, now.Whole())
	require.Empty(t, before.Lost(now, "swarm"))
	require.Len(t, before.InShort(), 2)
}

func TestMergeAndSave(t *testing.T) {
	s, dir := aScore(), t.TempDir()
	part := Score{Profiles: []string{"swarm", "other"}, Runs: append([]Run{{Profile: "other", Bug: "easy", Seed: 1}}, s.Runs[:5]...)}
	n := len(s.Runs)
	s.Merge(part)
	require.Len(t, s.Runs, n+1, "what is there is not added twice")
	require.Equal(t, []string{"swarm", "fixed", "other"}, s.Profiles)
	require.True(t, s.Has("other", "easy", 1))
	require.NoError(t, s.Save(dir))
	again, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, s, again)
	require.NoError(t, os.WriteFile(filepath.Join(dir, File), []byte(`{"schema":2}`), 0o600))
	_, err = Read(dir)
	require.ErrorContains(t, err, "only version 1 is known")
}

func TestPage(t *testing.T) {
	s := aScore()
	s.Former = s.InShort()
	var b bytes.Buffer
	require.NoError(t, s.WritePage(&b))
	_, err := html.Parse(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	for _, want := range []string{
		"<code>hard</code>", "held out", "8 of 10", "p = 0.00781", "a read of &lt;1&gt; is stale", "two candidates in one term", "100 %",
	} {
		require.Contains(t, b.String(), want)
	}
}
