package zookeeper

import (
	"bufio"
	"context"
	"flag"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestConformance(t *testing.T) {
	target, err := New("", nil)
	require.NoError(t, err)
	targettest.Test(t, targettest.Config{Target: target})
}

func TestOptionsOfTheTarget(t *testing.T) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	newTarget := Entry().New(flags)
	made, err := newTarget(harness.TargetConfig{Flags: map[string]string{"snapCount": "500"}})
	require.NoError(t, err)
	require.Equal(t, Linear, made.(*Target).Consistency)
	require.Equal(t, []string{"snapCount=500"}, made.(*Target).Config)
	require.Empty(t, made.(*Target).Caveat())
	for _, weaker := range []Consistency{Sync, Local} {
		require.NoError(t, flags.Parse([]string{"--consistency", string(weaker)}))
		made, err = newTarget(harness.TargetConfig{})
		require.NoError(t, err)
		require.NotEmpty(t, made.(*Target).Caveat())
	}
	require.NoError(t, flags.Parse([]string{"--consistency", "strong"}))
	_, err = newTarget(harness.TargetConfig{})
	require.ErrorContains(t, err, `no consistency "strong"; known are [linear sync local]`)
	require.Error(t, made.(*Target).Fits(1))
	require.NoError(t, made.(*Target).Fits(2))
}

// The lines are those of ZooKeeper 3.8.0 as Debian has it, and as the archive of the project logs.
func TestWhatServersLog(t *testing.T) {
	target := &Target{}
	for line, want := range map[string]uint64{
		"[QuorumPeer[myid=3](plain=127.0.0.1:2183)(secure=disabled)] INFO org.apache.zookeeper.server.quorum.Leader - Have " +
			"quorum of supporters, sids: [[2, 3]]; starting up and setting last processed zxid: 0x100000000": 1,
		"2026-11-28 12:00:00,001 [myid:1] - INFO  " +
			"[QuorumPeer[myid=1](plain=10.0.0.1:2181)(secure=disabled):o.a.z.s.q.Leader@1600] - Have quorum of supporters, sids: [[1, 3],[1, 3]]; starting up and setting last processed zxid: 0x1a00000000": 26,
		"Leader - Have quorum of supporters, sids: [[2, 3]]; starting up and setting last processed zxid: 0x5":                                      0,
		"Leader - Have quorum of supporters, sids: [[2, 3]]; starting up and setting last processed zxid: 0xfffffffffffffffff":                      0,
		"FastLeaderElection - Notification: Have quorum of supporters, sids: [[2]]; starting up and setting last processed zxid: 0x100000000 n.sid": 0,
		"[QuorumPeer] INFO org.apache.zookeeper.server.quorum.Leader - LEADING - LEADER ELECTION TOOK - 281 MS":                                     0,
	} {
		term, ok := target.Claim([]byte(line))
		require.Equal(t, want > 0, ok, line)
		if ok {
			require.Equal(t, want, term)
		}
	}
	for line, want := range map[string]string{
		"[LearnerHandler-/10.0.0.2:41] INFO org.apache.zookeeper.server.quorum.LearnerHandler - Sending snapshot last zxid " +
			"of peer is 0x0, zxid of leader is 0x100000005, send zxid of db as 0x100000005, 1 concurrent snapshot sync": history.ToldSendsSnapshot,
		"[QuorumPeer] INFO org.apache.zookeeper.server.quorum.Learner - Getting a snapshot from leader 0x100000005": history.ToldInstalledSnapshot,
		"[QuorumPeer] INFO org.apache.zookeeper.server.quorum.Learner - Getting a diff from the leader 0x0":         "",
	} {
		told, ok := target.Tell([]byte(line))
		require.Equal(t, want != "", ok, line)
		require.Equal(t, want, told.What)
	}
	require.ElementsMatch(t, []string{history.ToldSendsSnapshot, history.ToldInstalledSnapshot}, target.Tells())
}

// answering is a node whose server gives one answer to whatever it is asked.
type answering struct {
	harness.Node
	name, addr string
}

func (n answering) Name() string       { return n.name }
func (n answering) Addr(string) string { return n.addr }

func answers(t *testing.T, name, text string) harness.Node {
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).Peek(len("srvr"))
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}()
	return answering{name: name, addr: l.Addr().String()}
}

// A follower names nobody; whom it follows is known once it has done something in a leader's epoch.
func TestStatus(t *testing.T) {
	target, err := New("", nil)
	require.NoError(t, err)
	status := func(name, text string) history.Status {
		s, err := target.Status(t.Context(), answers(t, name, text))
		require.NoError(t, err)
		return s
	}
	old := "Zookeeper version: 3.8.0\nLatency min/avg/max: 0/0.0/0\nZxid: 0x100000007\nMode: follower\nNode count: 5\n"
	require.Equal(t, history.Status{Role: "follower", Term: 1, Vague: true}, status("n1", old))
	require.Equal(t, history.Status{Role: "leader", Term: 2, Leader: "n3", Vague: true}, status("n3", "Zxid: 0x200000000\nMode: leader\n"))
	require.Equal(t, history.Status{Role: "follower", Term: 1, Vague: true}, status("n1", old), "it has not heard of the new one")
	require.Equal(t, history.Status{Role: "follower", Term: 2, Leader: "n3", Vague: true}, status("n1", "Zxid: 0x200000001\nMode: follower\n"))
	require.Equal(t, history.Status{Role: "looking", Vague: true}, status("n2", "This ZooKeeper instance is not currently serving requests\n"))
	for text, want := range map[string]string{
		"":                                    `its mode is ""`,
		"Mode: standalone\nZxid: 0x1\n":       `its mode is "standalone"`,
		"Mode: leader\nZxid: 0xx\n":           "zxid",
		"srvr is not executed because of it.": `its mode is ""`,
	} {
		_, err := target.Status(t.Context(), answers(t, "n1", text))
		require.ErrorContains(t, err, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = target.Status(ended, answers(t, "n1", old))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, target.Ready(t.Context(), answers(t, "n1", "This ZooKeeper instance is not currently serving requests")), errNotServing)
}

func TestSpec(t *testing.T) {
	target, err := New("", []string{"snapCount=500"})
	require.NoError(t, err)
	addr := func(host string) map[string]string {
		return map[string]string{portPeer: host + ":7001", portElection: host + ":7002", portClient: host + ":7003"}
	}
	spec := target.Spec(harness.Placement{Node: "n2", DataDir: "/data", Members: []harness.Member{
		{Name: "n1", Addr: addr("10.0.0.1")}, {Name: "n2", Addr: addr("10.0.0.2")},
	}})
	require.True(t, spec.Self)
	require.Equal(t, "zookeeperd --id 2 --client 10.0.0.2:7003 --servers 1=10.0.0.1:7001:7002,2=10.0.0.2:7001:7002 --dir /data -- snapCount=500",
		strings.Join(spec.Command, " "))
}
