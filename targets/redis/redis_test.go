package redis

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestConformance(t *testing.T) {
	targettest.Test(t, targettest.Config{Target: &Target{}})
}

func TestOptionsOfTheTarget(t *testing.T) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	newTarget := Entry().New(flags)
	require.NoError(t, flags.Parse([]string{"--wait", "1", "--min-replicas-to-write", "2"}))
	target, err := newTarget(harness.TargetConfig{Flags: map[string]string{"appendfsync": "always"}})
	require.NoError(t, err)
	require.Equal(t, &Target{Wait: 1, MinReplicas: 2, Flags: []string{"--appendfsync=always"}}, target)
	require.NoError(t, flags.Parse([]string{"--wait", "-1"}))
	_, err = newTarget(harness.TargetConfig{})
	require.ErrorContains(t, err, "not below 0")
	require.Error(t, target.(*Target).Fits(2))
	require.NoError(t, target.(*Target).Fits(3))
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Entry().Files()
	require.ErrorContains(t, err, "apt-get install redis-server redis-sentinel")
}

func TestWhichErrorsAreProofs(t *testing.T) {
	for err, proof := range map[error]bool{
		errors.New("READONLY You can't write against a read only replica."):           true,
		errors.New("NOREPLICAS Not enough good replicas to write."):                   true,
		errors.New("LOADING Redis is loading the dataset in memory"):                  true,
		errors.New("redis: all sentinels specified in configuration are unreachable"): true,
		&net.OpError{Op: "dial", Err: errors.New("refused")}:                          true,
		&net.OpError{Op: "read", Err: errors.New("reset")}:                            false,
		fmt.Errorf("i/o timeout"):                                                     false,
		context.DeadlineExceeded:                                                      false,
		errors.New("UNBLOCKED force unblock from blocking operation"):                 false,
	} {
		require.Equal(t, proof, errors.Is(judge(err), harness.ErrNotApplied), "%v", err)
	}
}

// What a member is configured with, it is configured with once: later, the files have what it learned.
func TestConfigure(t *testing.T) {
	m := &Member{server: "127.0.0.1:7001", sentinel: "127.0.0.1:8001", servers: "127.0.0.2:7001,127.0.0.1:7001,127.0.0.3:7001", dir: t.TempDir()}
	require.NoError(t, m.configure())
	server, err := os.ReadFile(filepath.Join(m.dir, "server.conf"))
	require.NoError(t, err)
	require.Contains(t, string(server), "replicaof 127.0.0.2 7001\n")
	sentinel, err := os.ReadFile(filepath.Join(m.dir, "sentinel.conf"))
	require.NoError(t, err)
	require.Contains(t, string(sentinel), "sentinel monitor main 127.0.0.2 7001 2\nsentinel down-after-milliseconds "+
		"main 1000\nsentinel failover-timeout main 5000\nsentinel parallel-syncs main 1\n")
	require.NoError(t, os.WriteFile(m.file("server"), []byte("learned"), 0o600))
	m.servers = m.server
	require.NoError(t, m.configure())
	server, err = os.ReadFile(m.file("server"))
	require.NoError(t, err)
	require.Equal(t, "learned", string(server))
	for _, spoil := range []func(*Member){
		func(m *Member) { m.server = "x" }, func(m *Member) { m.sentinel = "x" }, func(m *Member) { m.servers = "x" },
	} {
		bad := *m
		spoil(&bad)
		require.ErrorContains(t, bad.Serve(t.Context(), nil, os.Stderr), "missing port")
	}
}
