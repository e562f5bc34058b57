package harness_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
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

// beside is a workload whose clients are two companions: each holds something from its first call on. Beside them there
// is one that nobody calls.
type beside struct{ fake *harnesstest.Fake }

func (beside) Needs() []harness.Capability { return nil }
func (beside) Lease() time.Duration        { return time.Second }

func (beside) Holds(o harness.Outcome) bool { return o.Kind == history.OK && o.Call.F == "hold" }

func (beside) Next(_ *rand.Rand, t harness.Turn) harness.Call {
	return harness.Call{F: []string{"hold", "drop"}[t.Seq%2], Key: "k"}
}

func (b beside) Invoke(ctx context.Context, c harness.Client, call harness.Call) (harness.Answer, error) {
	name := c.(calls).name
	if call.F == "hold" {
		b.fake.Print(name, fmt.Sprintf("lost %d", call.Process))
	}
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
	return harness.Answer{}, nil
}

// calls is a client by a companion.
type calls struct{ name string }

func (calls) Close() error { return nil }

func (b beside) Companions(*harness.Test) (all []harness.Companion) {
	for _, name := range []string{"c1", "c2", "guard"} {
		c := harness.Companion{
			Name: name,
			Spec: func(p harness.Placement) harness.NodeSpec {
				if len(p.Members) != 5 || len(p.Companions) != 3 {
					panic(fmt.Sprint("it is told of ", p.Members, p.Companions))
				}
				return harness.NodeSpec{Name: name, Self: true}
			},
			Ready: func(context.Context, harness.Node) error { return nil },
		}
		if name != "guard" {
			c.Dial = func(_ context.Context, n harness.Node) (harness.Client, error) { return calls{n.Name()}, nil }
		}
		all = append(all, c)
	}
	return all
}

func (beside) Heed(line []byte, at func(int64) time.Duration) (string, json.RawMessage, bool) {
	process, ok := strings.CutPrefix(string(line), "lost ")
	note := fmt.Sprintf(`{"process":%s,"lock":"k","token":1,"at_ns":%d}`, process, max(0, at(harness.Monotonic())-time.Hour))
	return history.FLost, json.RawMessage(note), ok
}

// Clients call by companions, faults hit who holds something, what companions print is in the history, and no member of
// the cluster knows of them.
func TestCompanions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "pause@holder=1s/500ms+kill@n1=1s/1s")
		test.Workload = beside{fake}
		test.About.Checkers = checkers.Always()
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Equal(t, checkers.Valid, results["recovery"].Verdict, results["recovery"].Why)
		require.Equal(t, checkers.Valid, results["progress"].Verdict, "nothing is read at the end: %s", results["progress"].Why)
		notes := h.Notes()
		require.NoError(t, notes.Err())
		require.Equal(t, []string{"c1", "c2", "guard"}, notes.Test.Companions)
		require.Equal(t, harness.NodeNames(5), notes.Test.Nodes)
		require.NotEmpty(t, notes.Lost)
		require.True(t, notes.Last.Nothing)
		for op := range h.Ops() {
			require.Contains(t, []string{"c1", "c2"}, op.Call.Node)
		}
		aimed := map[string]bool{}
		for _, f := range notes.Faults {
			require.True(t, f.Confirmed, f.Err)
			if f.F == "pause" {
				aimed[f.Took.Down[0]] = true
			}
		}
		require.Subset(t, []string{"c1", "c2"}, keys(aimed))
		require.NotEmpty(t, aimed)
		require.Empty(t, notes.Exits)
	})
}

func keys(m map[string]bool) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

// A schedule may name companions, and only those that there are.
func TestASchedulesCompanions(t *testing.T) {
	fake := harnesstest.New(harnesstest.Mistakes{})
	test := aTest(t, fake, "none")
	test.Deeds = nemesis.Default().Deeds()
	test.Schedule = &harness.Schedule{Version: harness.ScheduleVersion, Nodes: harness.NodeNames(5), Faults: []harness.Scheduled{{
		For: harness.Time(time.Second), Fault: &harness.Fault{
			Family: "pause", Nodes: []string{"c1"}, Deeds: []harness.Deed{{Kind: "pause", Nodes: []string{"c1"}}},
		},
	}}}
	require.ErrorContains(t, test.Validate(), `"c1" is no node of this cluster`)
	test.Workload = beside{fake}
	require.NoError(t, test.Validate())
}
