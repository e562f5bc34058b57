//go:build unix

package local

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// A companion calls members where clients do, and other companions where members would call each other; each by a proxy
// of its own, so that both ways can be cut and slowed, and be seen to be.
func TestCompanions(t *testing.T) {
	f := New(t.TempDir(), 0)
	defer f.Close()
	f.PlanBeside([]string{"c1", "guard"})
	require.NoError(t, f.Plan(t.Context(), []string{"n1", "n2", "c1", "guard"}, []string{"peer", "client"}))
	own := func(node, port string) string { return f.plan[node][port] }
	seen := func(by, node, port string) string {
		for _, m := range f.Placement(by).Members {
			if m.Name == node {
				return m.Addr[port]
			}
		}
		return ""
	}
	require.NotEqual(t, own("n1", "client"), seen("c1", "n1", "client"))
	require.NotEmpty(t, seen("c1", "n1", "client"))
	require.NotEqual(t, own("guard", "peer"), seen("c1", "guard", "peer"))
	require.NotEqual(t, own("n2", "peer"), seen("n1", "n2", "peer"))
	require.Equal(t, own("c1", "peer"), seen("n1", "c1", "peer"), "members have no way of their own to companions")

	links := []harness.Link{{From: "c1", To: "n1"}, {From: "n1", To: "c1"}}
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{
		links[0]: {Delay: 30 * time.Millisecond}, links[1]: {Delay: 60 * time.Millisecond},
	}))
	took, err := f.Delays(t.Context(), links)
	require.NoError(t, err)
	require.GreaterOrEqual(t, took[links[0]], 30*time.Millisecond)
	require.GreaterOrEqual(t, took[links[1]], 60*time.Millisecond)

	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{links[0]: {Drop: true}, links[1]: {Drop: true}}))
	require.NoError(t, f.Probe(t.Context(), links))
	require.Eventually(t, func() bool {
		traffic, err := f.Traffic(t.Context(), links)
		return err == nil && traffic[links[0]].Dropped > 0 && traffic[links[1]].Dropped > 0
	}, 5*time.Second, time.Millisecond)
}
