package zookeeper

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

func TestWhichErrorsAreProofs(t *testing.T) {
	require.NoError(t, judge(nil))
	for err, proof := range map[error]bool{
		zk.ErrNoServer:           true,
		zk.ErrBadVersion:         true,
		zk.ErrNoNode:             true,
		errClosed:                true,
		zk.ErrConnectionClosed:   false,
		zk.ErrSessionExpired:     false,
		zk.ErrSessionMoved:       false,
		zk.ErrClosing:            false,
		context.DeadlineExceeded: false,
	} {
		require.Equal(t, proof, errors.Is(judge(err), harness.ErrNotApplied), "%v", err)
		require.ErrorIs(t, judge(err), err)
	}
}

// The client library hears of all servers, and then that all were tried in vain.
func TestServersInOrder(t *testing.T) {
	o := &inOrder{servers: []string{"a", "b"}}
	require.NoError(t, o.Init([]string{"b", "a"}), "as the library shuffles them")
	require.Equal(t, 2, o.Len())
	next := func(server string, again bool) {
		t.Helper()
		s, a := o.Next()
		require.Equal(t, server, s)
		require.Equal(t, again, a)
	}
	next("a", false)
	next("b", false)
	next("a", true)
	next("b", false)
	o.Connected()
	next("a", false)
	next("b", false)
	next("a", true)
}

func TestACallThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan int)
		go func() {
			synctest.Wait()
			cancel()
		}()
		_, err := within(ctx, func() (int, error) { return <-answer, nil })
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, judge(err), harness.ErrNotApplied)
		answer <- 1 // it ends all the same
	})
}

// A client that was closed before its first call has sent nothing.
func TestClosedAtOnce(t *testing.T) {
	c := &Client{addr: "127.0.0.1:1"}
	require.NoError(t, c.Close())
	_, err := c.Write(t.Context(), "k", "1")
	require.ErrorIs(t, err, harness.ErrNotApplied)
}

func TestKeysAsPaths(t *testing.T) {
	require.Equal(t, "/k1", path("k1"))
	require.Equal(t, "/a%2Fb", path("a/b"))
}
