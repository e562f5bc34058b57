//go:build unix

package process

import (
	"io"
	"os"
	"path/filepath"
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

// What a dead node has stored can be wiped; that of a living one is left alone.
func TestWipe(t *testing.T) {
	thread := NewThread()
	defer thread.Close()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "b", "c"), []byte("four"), 0o600))
	n := New(harness.NodeSpec{Name: "n1", Command: []string{"sleep", "600"}, DataDir: dir}, nil, io.Discard, thread)
	require.NoError(t, n.Start(t.Context()))
	_, err := n.Wipe(t.Context())
	require.ErrorContains(t, err, "a node that runs")
	require.NoError(t, n.Kill(t.Context()))
	bytes, err := n.Wipe(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, bytes)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
