package netns

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/targets/raft"
)

// launch launches a cluster of the built-in Raft and waits until it serves.
func launch(t *testing.T, nodes int) (*harness.Cluster, *Fleet) {
	target, err := raft.New(nil)
	require.NoError(t, err)
	f := New(t.TempDir(), os.Args[0])
	c := harness.NewCluster(target, f, harness.NodeNames(nodes), func(string) {})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	require.NoError(t, c.Serving(t.Context()))
	return c, f
}

func TestFleet(t *testing.T) {
	fleettest.Test(t, fleettest.Config{New: func() (harness.Fleet, harness.Target, error) {
		target, err := raft.New(nil)
		return New(t.TempDir(), os.Args[0]), target, err
	}})
}

// Two fleets of one controller have networks of their own.
func TestFleetsSideBySide(t *testing.T) {
	_, a := launch(t, 3)
	_, b := launch(t, 3)
	require.NotEqual(t, a.Placement("n1").Members[0], b.Placement("n1").Members[0])
	many := New(t.TempDir(), os.Args[0])
	defer func() { require.NoError(t, many.Close()) }()
	require.NoError(t, many.Plan(t.Context(), harness.NodeNames(9), []string{"peer"}))
}

// A node that is killed and started again while it is cut off is cut off still, with the same counters.
func TestRulesOutliveTheNode(t *testing.T) {
	c, f := launch(t, 3)
	l := harness.Link{From: "n1", To: "n3"}
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Drop: true}}))
	count := func() harness.Traffic {
		require.NoError(t, f.Probe(t.Context(), []harness.Link{l}))
		seen, err := f.Traffic(t.Context(), []harness.Link{l})
		require.NoError(t, err)
		return seen[l]
	}
	require.Eventually(t, func() bool { return count().Dropped > 0 }, 10*time.Second, time.Millisecond)
	n := c.Node("n3")
	require.NoError(t, n.Kill(t.Context()))
	between := count()
	require.NoError(t, n.Start(t.Context()))
	require.Eventually(t, func() bool { return count().Dropped > between.Dropped }, 10*time.Second, time.Millisecond)
	require.Equal(t, between.Passed, count().Passed)
}

// A node can be started while its network is pulled out, and serves once it is put back.
func TestStartedWhileUnplugged(t *testing.T) {
	c, _ := launch(t, 3)
	n := c.Node("n2")
	require.NoError(t, n.(harness.Unplugger).Unplug(t.Context()))
	require.NoError(t, n.Kill(t.Context()))
	require.NoError(t, n.Start(t.Context()))
	d := net.Dialer{Timeout: 300 * time.Millisecond}
	_, err := d.DialContext(t.Context(), "tcp", n.Addr("client"))
	require.Error(t, err)
	require.NoError(t, n.(harness.Unplugger).Plug(t.Context()))
	target, err := raft.New(nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return target.Ready(t.Context(), n) == nil }, 20*time.Second, 5*time.Millisecond)
}
