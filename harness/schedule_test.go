package harness_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
)

// tolerance is how far off the times of a replay may be: what it takes to bring a fault about, and to look at it.
const tolerance = 250 * time.Millisecond

// A replay does the same deeds on the same nodes at the same times, whatever the seed: the schedule that it leaves is
// the one that it was given.
func TestAScheduleIsReplayed(t *testing.T) {
	for _, spec := range []string{"mix", "partition=1s/0s+kill=500ms/1s", "pause@leader+loss"} {
		synctest.Test(t, func(t *testing.T) {
			h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), spec))
			require.NoError(t, err)
			first, err := harness.ScheduleOf(h)
			require.NoError(t, err)
			require.NotEmpty(t, first.Faults)
			file := filepath.Join(t.TempDir(), history.ScheduleFile)
			require.NoError(t, first.Write(file))
			read, err := nemesis.Default().ReadSchedule(file)
			require.NoError(t, err)
			require.Equal(t, first, read)

			test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
			test.Schedule, test.Deeds, test.Seed = read, nemesis.Default().Deeds(), 77
			h, results, err := run(t, t.Context(), test)
			require.NoError(t, err)
			require.Equal(t, checkers.Valid, results["progress"].Verdict, results["progress"].Why)
			second, err := harness.ScheduleOf(h)
			require.NoError(t, err)
			require.Len(t, second.Faults, len(first.Faults))
			for i, f := range first.Faults {
				again := second.Faults[i]
				require.Equal(t, f.Fault, again.Fault)
				require.Equal(t, f.Lane, again.Lane)
				require.InDelta(t, time.Duration(f.At).Seconds(), time.Duration(again.At).Seconds(), tolerance.Seconds())
				require.InDelta(t, time.Duration(f.For).Seconds(), time.Duration(again.For).Seconds(), tolerance.Seconds())
			}
		})
	}
}

// A schedule that was written by hand waits for what it is to wait for, and aims when it is time.
func TestAScheduleByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := nemesis.Default().ParseSchedule([]byte(`
faults:
  - at 5s isolate leader for 3s
  - when leader-elected kill leader for 500ms
  - when fault:kill/100ms pause n4,n5 for 1s
  - {at: 20s, for: 2s, fault: {family: mine, deeds: [{deed: kill, nodes: [n3]}, {deed: pause, nodes: [n2]}]}}
`))
		require.NoError(t, err)
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Schedule, test.Deeds = s, nemesis.Default().Deeds()
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		faults := h.Notes().Faults
		require.Len(t, faults, 4)
		load, _ := h.Notes().Phase(history.PhaseLoad)
		claims := h.Notes().Claims
		elected := claims[slices.IndexFunc(claims, func(c history.Said[history.Claim]) bool { return c.What.Term == 2 })]
		require.Equal(t, "partition:isolate", faults[0].F)
		require.Equal(t, "n1", faults[0].Took.Cut[0].From)
		require.InDelta(t, 5, (faults[0].Began - load.From).Seconds(), 0.01)
		require.Equal(t, "kill", faults[1].F)
		require.Equal(t, []string{elected.Node}, faults[1].Took.Down)
		require.InDelta(t, elected.At.Seconds(), faults[1].Began.Seconds(), 0.2)
		require.Equal(t, []string{"n4", "n5"}, faults[2].Took.Down)
		require.InDelta(t, 0.1, (faults[2].Began - faults[1].InForce).Seconds(), 0.01)
		require.Equal(t, []string{"n3", "n2"}, faults[3].Took.Down)
		require.InDelta(t, 2, (faults[3].Healing - faults[3].InForce).Seconds(), 0.01)
	})
}

// What a schedule asks for, and cannot be had, is said before anything starts: which fault, and what to do.
func TestSchedulesAreChecked(t *testing.T) {
	deeds := nemesis.Default().Deeds()
	kill := &harness.Fault{Family: "kill", Deeds: []harness.Deed{{Kind: "kill", Nodes: []string{"n4"}}}}
	s := func(version int, nodes []string, faults ...harness.Scheduled) *harness.Schedule {
		return &harness.Schedule{Version: version, Nodes: nodes, Faults: faults}
	}
	second := harness.Time(time.Second)
	for want, c := range map[string]*harness.Schedule{
		"":                            s(1, harness.NodeNames(5), harness.Scheduled{At: second, For: second, Fault: kill}),
		"of version 2":                s(2, nil, harness.Scheduled{At: second, For: second, Fault: kill}),
		"has no faults":               s(1, nil),
		"use --nodes 3":               s(1, harness.NodeNames(3), harness.Scheduled{At: second, For: second, Fault: kill}),
		"fault 2 of the schedule: it": s(1, nil, harness.Scheduled{At: second, For: second, Fault: kill}, harness.Scheduled{At: second, For: second}),
		"held for 0s":                 s(1, nil, harness.Scheduled{At: second, Fault: kill}),
		"use a longer --time-limit":   s(1, nil, harness.Scheduled{At: 60 * second, For: second, Fault: kill}),
		`there is no deed "flood"`: s(1, nil, harness.Scheduled{For: second, Fault: &harness.Fault{
			Family: "flood", Deeds: []harness.Deed{{Kind: "flood"}}}}),
	} {
		err := c.Check(deeds, harness.Layout{Nodes: harness.NodeNames(5)}, 30*time.Second)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
	err := s(1, nil, harness.Scheduled{For: second, Fault: kill}).Check(deeds, harness.Layout{Nodes: harness.NodeNames(3)}, time.Minute)
	require.ErrorContains(t, err, `"n4" is no node of this cluster`)
}

func ExampleTime() {
	text, _ := harness.Time(2500 * time.Millisecond).MarshalText()
	fmt.Println(string(text))
	// Output: 2.5s
}

// A fault of a schedule that is never begun is one that did not act: what was planned, and did not happen, proves
// nothing.
func TestAMissedFaultIsNoPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := nemesis.Default().ParseSchedule([]byte("faults: [at 1s kill n1 for 1s, 'when behind:100000000 kill n2 for 1s']"))
		require.NoError(t, err)
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Schedule, test.Deeds = s, nemesis.Default().Deeds()
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.NoError(t, h.Notes().Err())
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
		require.Contains(t, results["progress"].Why, "it was never begun: behind:100000000 never fired")
		left, err := harness.ScheduleOf(h)
		require.NoError(t, err)
		require.Len(t, left.Faults, 1, "what was done")
	})
}
