package etcd

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhichErrorsAreProofs(t *testing.T) {
	for _, c := range []struct {
		err   error
		proof bool
	}{
		{rpctypes.ErrGRPCRequestTooManyRequests, true},
		{rpctypes.ErrTooManyRequests, true},
		{status.Error(codes.Unknown, "etcdserver: too many requests"), true},
		{rpctypes.ErrGRPCRequestTooLarge, true},
		{rpctypes.ErrRequestTooLarge, true},
		{rpctypes.ErrGRPCEmptyKey, true},
		{rpctypes.ErrGRPCDuplicateKey, true},
		{rpctypes.ErrGRPCTooManyOps, true},
		{status.Error(codes.Unknown, "raft proposal dropped"), true},
		{status.Error(codes.Unavailable, `last connection error: connection error: desc = "transport: Error while dialing: dial tcp 10.1.1.1:7002: connect: connection refused"`), true},

		{rpctypes.ErrGRPCNoSpace, false},
		{rpctypes.ErrNoSpace, false},
		{rpctypes.ErrGRPCTimeout, false},
		{rpctypes.ErrTimeout, false},
		{rpctypes.ErrGRPCTimeoutDueToLeaderFail, false},
		{rpctypes.ErrGRPCTimeoutDueToConnectionLost, false},
		{rpctypes.ErrGRPCLeaderChanged, false},
		{rpctypes.ErrGRPCNoLeader, false},
		{rpctypes.ErrGRPCStopped, false},
		{rpctypes.ErrGRPCCorrupt, false},
		{status.Error(codes.Unavailable, "error reading from server: EOF"), false},
		{status.Error(codes.Unavailable, "transport is closing"), false},
		{status.Error(codes.Unavailable, `closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway`), false},
		{context.DeadlineExceeded, false},
		{context.Canceled, false},
		{errors.New("something that nobody has seen yet"), false},
	} {
		judged := judge(c.err)
		require.ErrorIs(t, judged, c.err)
		require.Equal(t, c.proof, errors.Is(judged, harness.ErrNotApplied), "%v", c.err)
	}
}

func TestEveryOutcomeHasAReason(t *testing.T) {
	for _, o := range outcomes {
		require.Greater(t, len(o.why), 20, o.message)
	}
}

// aNode is a node at some address.
type aNode struct {
	harness.Node
	addr string
}

func (n aNode) Name() string       { return "n1" }
func (n aNode) Addr(string) string { return n.addr }

// The proof of what was refused is made of words of the gRPC library: this sees that it still says them.
func TestARefusedConnectionIsAProof(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	c := dialAt(t, addr)
	_, err = c.Write(t.Context(), "k", "1")
	require.ErrorIs(t, err, harness.ErrNotApplied)
	_, err = c.CompareAndSet(t.Context(), "k", "1", "2")
	require.ErrorIs(t, err, harness.ErrNotApplied)
}

// A request that was taken by something that then hangs up may have been served. And it comes once.
func TestABrokenConnectionIsNoProof(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var done = make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// The preface and settings of HTTP/2, so that the client sends its request, of which we
			// read a part and are gone.
			_, _ = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			seen := ""
			for buf := make([]byte, 4096); !strings.Contains(seen, "k-of-the-request"); {
				n, err := conn.Read(buf)
				if err != nil {
					break
				}
				seen += string(buf[:n])
			}
			conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = dialAt(t, l.Addr().String()).Write(ctx, "k-of-the-request", "1")
	require.Error(t, err)
	require.NotErrorIs(t, err, harness.ErrNotApplied)
	require.NoError(t, l.Close())
	<-done
}

func dialAt(t *testing.T, addr string) *Client {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	c, err := target.Dial(t.Context(), aNode{addr: addr})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c.(*Client)
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"v3.4.37": "--pre-vote=true", "v3.5.14": "--experimental-snapshot-catchup-entries=500", "v3.5.2": "--snapshot-count=1000",
		"v3.6.16": " --snapshot-catchup-entries=500", "v3.7.0-rc.1": " --snapshot-catchup-entries=500",
	} {
		target, err := New(version, false, []string{"--snapshot-count=10"})
		require.NoError(t, err)
		spec := target.Spec(placement())
		require.Contains(t, strings.Join(spec.Command, " "), want, version)
		require.Equal(t, "--snapshot-count=10", spec.Command[len(spec.Command)-1], "flags that were asked for come last")
	}
	old, err := New("v3.5.13", false, nil)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(old.Spec(placement()).Command, " "), "catchup", "there is no such flag before 3.5.14")
	for _, version := range []string{"", "3.6.5", "v3.3.0", "v3.8.0", "v2.3.8", "latest", "v3.x", "v3.6"} {
		_, err := New(version, false, nil)
		require.ErrorContains(t, err, "etcd", version)
	}
}

func placement() harness.Placement {
	return harness.Placement{Node: "n2", DataDir: "/data", Members: []harness.Member{
		{Name: "n1", Addr: map[string]string{"peer": "10.0.0.2:7001", "client": "10.0.0.2:7002"}},
		{Name: "n2", Addr: map[string]string{"peer": "10.0.0.3:7001", "client": "10.0.0.3:7002"}},
	}}
}

func TestSpec(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	command := strings.Join(target.Spec(placement()).Command, " ")
	for _, want := range []string{
		"--name=n2 --data-dir=/data/etcd", "--initial-cluster=n1=http://10.0.0.2:7001,n2=http://10.0.0.3:7001",
		"--listen-peer-urls=http://10.0.0.3:7001", "--advertise-client-urls=http://10.0.0.3:7002",
	} {
		require.Contains(t, command, want)
	}
}

func TestClaims(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	for line, want := range map[string]uint64{
		`{"level":"info","ts":"2026-11-22T02:40:00Z","logger":"raft","caller":"v3@v3.6.0/raft.go:988","msg":"8e9e05c52164694d became leader at term 12"}`: 12,
		`{"level":"info","logger":"raft","msg":"8e9e05c52164694d became follower at term 12"}`:                                                            0,
		`{"level":"info","msg":"a client wrote: 8e9e05c52164694d became leader at term 12"}`:                                                              0,
		`{"level":"info","msg":"8e9e05c52164694d became leader at term 99999999999999999999"}`:                                                            0,
		`8e9e05c52164694d became leader at term 12`:                                                                                                       0,
	} {
		term, ok := target.Claim([]byte(line))
		require.Equal(t, want, term, line)
		require.Equal(t, want > 0, ok, line)
	}
}

func TestTell(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	for line, want := range map[string]history.Told{
		`{"msg":"8e9e05c52164694d became candidate at term 12"}`:                                                                           {What: history.ToldCandidate, Term: 12},
		`{"msg":"8e9e05c52164694d became pre-candidate at term 12"}`:                                                                       {},
		`{"msg":"8e9e05c52164694d [logterm: 1, index: 4, vote: 0] cast MsgVote for 91bc3c398fb3c146 [logterm: 1, index: 4] at term 2"}`:    {What: history.ToldVote, Term: 2},
		`{"msg":"8e9e05c52164694d [logterm: 1, index: 4, vote: 0] cast MsgPreVote for 91bc3c398fb3c146 [logterm: 1, index: 4] at term 2"}`: {},
		`{"msg":"sending database snapshot","snapshot-index":1001}`:                                                                        {What: history.ToldSendsSnapshot},
		`{"msg":"8e9e05c52164694d [commit: 1001, lastindex: 1001, lastterm: 3] restored snapshot [index: 1001, term: 3]"}`:                 {What: history.ToldInstalledSnapshot, Term: 3},
		`8e9e05c52164694d became candidate at term 12`:                                                                                     {},
	} {
		told, ok := target.Tell([]byte(line))
		require.Equal(t, want, told, line)
		require.Equal(t, want.What != "", ok, line)
	}
}

func TestNamesAreLearned(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	require.Empty(t, target.name(1, "n1", 0))
	require.Equal(t, "2", target.name(1, "n1", 2), "nobody has asked member 2 yet")
	require.Equal(t, "n1", target.name(2, "n2", 1))
	require.Equal(t, "n2", target.name(1, "n1", 2))
}

// What the members are told is what is said of them.
func TestTiming(t *testing.T) {
	target, err := New("v3.6.16", false, nil)
	require.NoError(t, err)
	require.Equal(t, history.Timing{Heartbeat: 100 * time.Millisecond, Election: time.Second}, target.Timing())
	target, err = New("v3.6.16", false, []string{"--election-timeout=2500", "--heartbeat-interval=50", "--max-txn-ops=9"})
	require.NoError(t, err)
	require.Equal(t, history.Timing{Heartbeat: 50 * time.Millisecond, Election: 2500 * time.Millisecond}, target.Timing())
}

func TestTarget(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	defer target.Close()
	targettest.Test(t, targettest.Config{Target: target})
}
