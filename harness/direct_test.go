package harness_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// A right cluster under a director is valid; its faults overlap, and each is healed and confirmed.
func TestADirectedRun(t *testing.T) {
	for _, spec := range []string{"swarm", "watch"} {
		synctest.Test(t, func(t *testing.T) {
			test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), spec)
			h, results, err := run(t, t.Context(), test)
			require.NoError(t, err)
			for name, r := range results {
				require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
			}
			faults := h.Notes().Faults
			overlaps, idle := 0, 0
			for i, f := range faults {
				require.True(t, f.Confirmed || f.Nothing, "%s: %s", f.F, f.Err)
				if f.Nothing { // such as leadership that was to be handed over by a node that did not lead any more
					idle++
				}
				require.NotEqual(t, history.Never, f.Healed)
				if i > 0 && f.Began < faults[i-1].Healed {
					overlaps++
				}
			}
			require.Greater(t, len(faults), 10)
			require.Less(t, idle, len(faults)/5)
			require.Greater(t, overlaps, 2)
			s, err := harness.ScheduleOf(h)
			require.NoError(t, err)
			require.Len(t, s.Faults, len(faults)-idle, "what it did can be done again")
		})
	}
}

// plan is a director that does what it is told, and notes what it sees.
type plan struct {
	moves []harness.Move
	views []harness.View
	// after is what a move waits for, by its number.
	after map[int]func(harness.View) bool
}

func (p *plan) Next(_ *rand.Rand, v harness.View) harness.Move {
	if ready := p.after[len(p.views)]; ready != nil && !ready(v) {
		return harness.Move{Wait: time.Hour}
	}
	p.views = append(p.views, v)
	if len(p.moves) == 0 {
		return harness.Move{Wait: time.Hour}
	}
	m := p.moves[0]
	p.moves = p.moves[1:]
	return m
}

func kills(node string) *harness.Fault {
	return &harness.Fault{Family: "kill", Nodes: []string{node}, Deeds: []harness.Deed{{Kind: "kill", Nodes: []string{node}}}}
}

func delays(from, to string) *harness.Fault {
	return &harness.Fault{Family: "delay", Nodes: []string{from}, Deeds: []harness.Deed{{
		Kind: "delay", Links: []harness.Link{{From: from, To: to}}, With: []byte(`{"by":"50ms"}`),
	}}}
}

func TestWhatADirectorSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "watch")
		one := func(v harness.View) bool { return len(v.Standing) == 1 && !v.Standing[0].Changing }
		p := &plan{
			moves: []harness.Move{
				{Start: kills("n1"), Wait: time.Hour},                               // it is asked again when the fault is in force
				{Start: delays("n2", "n3"), Heal: []int{0}, Wait: time.Millisecond}, // which takes longer to be measured
				{Heal: []int{0}, Wait: time.Hour},                                   // that is on its way
				{Wait: time.Hour, Until: []harness.Trigger{{Event: harness.WriteAcknowledged, After: time.Second}}},
				{Heal: []int{1, 99}, Wait: time.Hour}, // nobody knows a fault 99
			},
			after: map[int]func(harness.View) bool{3: one}, // asked again when the delay is in force, and when the kill is gone
		}
		test.Lanes[0].Direct = func() harness.Director { return p }
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Len(t, p.views, 6)
		first := p.views[0]
		require.Empty(t, first.Standing)
		require.Contains(t, first.Can, harness.NodeKill)
		require.Equal(t, []string{"n1"}, first.Leaders)
		require.InDelta(t, test.TimeLimit.Seconds(), (first.Elapsed + first.Left).Seconds(), 2.1)
		require.Len(t, p.views[1].Standing, 1)
		require.Equal(t, "n1", p.views[1].Standing[0].Fault.Nodes[0])
		require.False(t, p.views[1].Standing[0].Changing)
		require.Positive(t, p.views[1].Standing[0].Since)
		require.Len(t, p.views[2].Standing, 2, "the first is healed once the second is in force")
		require.True(t, p.views[2].Standing[0].Changing)
		require.True(t, p.views[2].Standing[1].Changing)
		require.Len(t, p.views[4].Standing, 1)
		require.Empty(t, p.views[5].Standing)
		faults := h.Notes().Faults
		require.Len(t, faults, 2)
		require.LessOrEqual(t, faults[1].InForce, faults[0].Healing)
		waited := p.views[4].Elapsed - p.views[3].Elapsed
		require.Greater(t, waited, time.Second, "it waits for as long as the trigger says")
		require.Less(t, waited, 10*time.Second, "... and not for the time that it would otherwise")
		require.NotEmpty(t, p.views[5].Reached)
	})
}

// A fault that comes into force as the load ends is in force for a while all the same.
func TestTheLastFaultIsHeldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "watch")
		late := &plan{moves: []harness.Move{
			{Wait: test.TimeLimit - 3*time.Second - 5*time.Millisecond}, // the last calm and the first are a second or two
			{Start: delays("n2", "n3"), Wait: time.Millisecond},
			{Start: kills("n1"), Wait: time.Hour},
		}}
		test.Lanes[0].Direct = func() harness.Director { return late }
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Len(t, h.Notes().Faults, 2)
		for _, f := range h.Notes().Faults {
			require.GreaterOrEqual(t, f.Healing-f.InForce, 50*time.Millisecond, f.F)
		}
	})
}

// What a director leaves standing is healed at the end; a heal that fails ends the run.
func TestWhatStandsIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "kill")
		test.Lanes[0].Direct = func() harness.Director {
			return &plan{moves: []harness.Move{{Start: kills("n1"), Wait: time.Hour}, {Start: kills("n2"), Wait: time.Hour}, {Wait: time.Hour}}}
		}
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Equal(t, checkers.Valid, results["recovery"].Verdict)
		for _, f := range h.Notes().Faults {
			require.NotEqual(t, history.Never, f.Healed)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{StuckHeals: true}), "swarm")
		start := time.Now()
		_, _, err := run(t, t.Context(), test)
		require.ErrorContains(t, err, "heal")
		require.Less(t, time.Since(start), test.TimeLimit)
	})
}

// The load follows the tide, and clients that roam are not always at one node.
func TestTheLoadChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Roam = true
		test.Tide = func(elapsed time.Duration) harness.Load {
			switch {
			case elapsed < 10*time.Second:
				return harness.Load{Rate: 1000, Clients: 10}
			case elapsed < 15*time.Second:
				return harness.Load{Rate: 50, Clients: 2, Crowd: harness.AtOne, Node: 4}
			case elapsed < 20*time.Second:
				return harness.Load{Rate: 50, Clients: 2, Crowd: harness.AtLeader}
			}
			return harness.Load{Rate: 50, Clients: 2}
		}
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		load, _ := h.Notes().Phase(history.PhaseLoad)
		var calls [3]int
		late, nodes := map[int]bool{}, map[int]map[string]bool{}
		for c := range h.Calls() {
			if c.Begin() < load.From || c.Begin() >= load.From+test.TimeLimit {
				continue
			}
			calls[int((c.Begin()-load.From)/(10*time.Second))]++
			switch at := c.Begin() - load.From; {
			case at > 11*time.Second && at < 15*time.Second:
				require.Equal(t, "n5", c.Node(), "all are at one")
			case at > 16*time.Second && at < 20*time.Second:
				require.Equal(t, "n1", c.Node(), "all are at the leader")
			}
			worker := h.Event(c.Index()).Process % (test.Clients + test.Nodes)
			if c.Begin() > load.From+11*time.Second {
				late[worker] = true
			}
			if c.Begin() > load.From+10*time.Second && c.Begin() < load.From+21*time.Second {
				continue
			}
			if nodes[worker] == nil {
				nodes[worker] = map[string]bool{}
			}
			nodes[worker][c.Node()] = true
		}
		require.InDelta(t, 10_000, calls[0], 600)
		require.InDelta(t, 500, calls[2], 100)
		require.Len(t, late, 2)
		require.Len(t, nodes[0], 1, "it stays")
		require.Greater(t, len(nodes[3]), 2, "it hops")
		require.True(t, nodes[6]["n1"], "it follows the leader")
	})
}
