//go:build unix

package process

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A paused node is seen to stand still; it can be killed, and the dead cannot be paused.
func TestPauseResumeKill(t *testing.T) {
	thread := NewThread()
	defer thread.Close()
	n := New(harness.NodeSpec{Name: "n1", Command: []string{"sleep", "600"}}, nil, io.Discard, thread)
	require.Zero(t, n.Pid())
	require.NoError(t, n.Start(t.Context()))
	require.NoError(t, n.Pause(t.Context()))
	stopped, err := isStopped(n.Pid())
	require.NoError(t, err)
	require.True(t, stopped)
	require.NoError(t, n.Resume(t.Context()))
	stopped, err = isStopped(n.Pid())
	require.NoError(t, err)
	require.False(t, stopped)
	require.NoError(t, n.Pause(t.Context()))
	exited := n.Exited()
	require.NoError(t, n.Kill(t.Context()), "a paused process dies too")
	<-exited
	require.NoError(t, n.Resume(t.Context()))
	require.ErrorContains(t, n.Pause(t.Context()), "no process", "the dead cannot be paused")
}
