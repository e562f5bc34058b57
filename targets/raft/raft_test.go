package raft_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestMain(m *testing.M) {
	raft.ServeIfNode()
	goleak.VerifyTestMain(m)
}

func TestTarget(t *testing.T) {
	target, err := raft.New(map[string]string{"election-timeout": "200ms"})
	require.NoError(t, err)
	targettest.Test(t, targettest.Config{Target: target, Fleet: func() (harness.Fleet, error) {
		return local.New(t.TempDir(), 0), nil
	}})
}

func TestOptionsOfNodes(t *testing.T) {
	for want, flags := range map[string]map[string]string{
		`a node has no flag "fsync"`: {"fsync": "false"}, "flag heartbeat=often of a node": {"heartbeat": "often"},
	} {
		_, err := raft.New(flags)
		require.ErrorContains(t, err, want)
	}
	_, err := raft.New(nil, "beetle")
	require.ErrorContains(t, err, `unknown bug "beetle"`)
	target, err := raft.New(map[string]string{"heartbeat": "20ms"}, "stale-read", "two-votes")
	require.NoError(t, err)
	require.Equal(t, []string{"--heartbeat=20ms", "--bug", "stale-read,two-votes"}, target.Flags)
	require.Equal(t, "20ms", target.Timing().Heartbeat.String())
}
