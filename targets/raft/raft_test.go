package raft_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
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

// aNode is one at an address.
type aNode struct {
	harness.Node
	addr string
}

func (n aNode) Addr(string) string { return n.addr }

// Leadership is handed over by asking; which answers prove that nothing was begun.
func TestMoveLeader(t *testing.T) {
	target, err := raft.New(nil)
	require.NoError(t, err)
	require.Contains(t, target.Can(), harness.MoveLeader)
	for code, outcome := range map[int]error{http.StatusOK: nil, http.StatusConflict: harness.ErrNotApplied} {
		asked := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Method + " " + r.URL.Path
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"value":null}`))
		}))
		n := aNode{addr: strings.TrimPrefix(server.URL, "http://")}
		require.ErrorIs(t, target.Operate(t.Context(), n, harness.MoveLeader), outcome)
		require.Equal(t, "POST /transfer", <-asked)
		server.Close()
		require.ErrorIs(t, target.Operate(t.Context(), n, harness.MoveLeader), harness.ErrNotApplied, "nobody is there")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"value":null,"error":"no other node leads yet"}`))
	}))
	defer server.Close()
	n := aNode{addr: strings.TrimPrefix(server.URL, "http://")}
	err = target.Operate(t.Context(), n, harness.MoveLeader)
	require.ErrorContains(t, err, "no other node leads yet")
	require.NotErrorIs(t, err, harness.ErrNotApplied, "it was begun")
	require.ErrorIs(t, target.Operate(t.Context(), n, harness.Defragment), harness.ErrNotApplied)
}
