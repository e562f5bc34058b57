package sim

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

var (
	seeds = flag.Int("sim.seeds", defaultSeeds, "how many seeds to simulate")
	seed  = flag.Uint64("sim.seed", 0, "simulate this one seed, and shrink what it breaks")
)

// nodesOf spreads the seeds over cluster sizes, so that a seed alone replays its run.
func nodesOf(seed uint64) int { return []int{5, 3, 5, 4, 1, 7}[seed%6] }

func TestThePropertiesHold(t *testing.T) {
	if *seed != 0 {
		if o, v := Shrink(t.Context(), *seed, Options{Nodes: nodesOf(*seed)}); v != nil {
			t.Fatalf("%v\nwith %d nodes, and as few faults and calls as show it", v, o.Nodes)
		}
		return
	}
	const parts = 8
	for part := range parts {
		t.Run(fmt.Sprint("part", part), func(t *testing.T) {
			t.Parallel()
			for s := uint64(part + 1); s <= uint64(*seeds); s += parts {
				if v := Run(s, Options{Nodes: nodesOf(s)}); v != nil {
					t.Fatalf("%v\nreplay: go test ./targets/raft/sim -run TestThePropertiesHold -sim.seed %d", v, s)
				}
			}
		})
	}
}

// What is promised before it is synced is lost, and that must be caught. The bugs that can be planted in the core are
// held against the list of them in package raft.
func TestSyncingLateIsCaught(t *testing.T) {
	for s := uint64(1); s <= 3000; s++ {
		if v := Run(s, Options{SyncLate: true}); v != nil {
			require.Contains(t, []string{"Election Safety", "Leader Completeness", "State Machine Safety", "Log Matching"}, v.Property)
			return
		}
	}
	t.Fatal("not caught in 3000 seeds")
}

// A failing seed that is printed must fail again, at the same tick, for the same reason.
func TestASeedReplaysExactly(t *testing.T) {
	o := Options{Bugs: core.Bugs{core.QuorumMinusOne: true}, Trace: true}
	first, second := Run(3, o), Run(3, o)
	require.NotNil(t, first)
	require.Equal(t, first, second)
}

// A shrunk run breaks the same, and none of what is left of it can be left out.
func TestShrink(t *testing.T) {
	for _, bug := range []core.Bug{core.QuorumMinusOne, core.StaleRead, core.TwoVotes, core.CommitOldTerm} {
		t.Run(string(bug), func(t *testing.T) {
			t.Parallel()
			o := Options{Bugs: core.Bugs{bug: true}}
			s := uint64(1)
			for ; Run(s, o) == nil; s++ {
				require.Less(t, s, uint64(3000))
			}
			whole := simulate(s, o)
			small, v := Shrink(t.Context(), s, o)
			require.NotNil(t, v)
			require.Equal(t, whole.violation.Property, v.Property)
			left := simulate(s, small)
			kept := left.meant
			for n := range small.Without {
				if n <= left.meant {
					kept--
				}
			}
			t.Logf("%d nodes, %d ticks and %d faults and calls became %d, %d and %d\n%v", 5, whole.now, whole.meant, small.Nodes, left.now, kept, v)
			require.Less(t, kept, max(whole.meant/3, 8))
			for n := 1; n <= left.meant; n++ {
				if small.Without[n] {
					continue
				}
				small.Without[n] = true
				if v := Run(s, small); v != nil {
					require.NotEqual(t, whole.violation.Property, v.Property, "%d is not needed", n)
				}
				delete(small.Without, n)
			}
		})
	}
	_, v := Shrink(t.Context(), 1, Options{Steps: 500})
	require.Nil(t, v)
}
