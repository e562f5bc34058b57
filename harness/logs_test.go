package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A node that never stops talking fills its file to a limit, and is listened to beyond it.
func TestNodeLogsAreBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	logs, err := openLogs(dir, []string{"n1"})
	require.NoError(t, err)
	logs["n1"].room = 10
	heard := 0
	w := &tap{Writer: logs["n1"], see: func(line []byte) { heard++ }}
	for range 5 {
		n, err := w.Write([]byte("1234\n"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
	}
	require.NoError(t, logs.close())
	kept, err := os.ReadFile(filepath.Join(dir, "n1.log"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(kept), "1234\n1234\n\n(sunder keeps no more than"), string(kept))
	require.Equal(t, 1, strings.Count(string(kept), "sunder keeps"))
	require.Equal(t, 5, heard)
}

// The last lines of a log are known, whatever its size, and are text.
func TestLastLines(t *testing.T) {
	logs, err := openLogs(t.TempDir(), []string{"n1"})
	require.NoError(t, err)
	defer func() { require.NoError(t, logs.close()) }()
	l := logs["n1"]
	require.Empty(t, l.last())
	for i := range 3000 {
		_, err := fmt.Fprintf(l, "line %d\n\n", i)
		require.NoError(t, err)
	}
	_, err = l.Write([]byte("panic: \xff, and no newline"))
	require.NoError(t, err)
	require.Equal(t, []string{"line 2996", "line 2997", "line 2998", "line 2999", "panic: \ufffd, and no newline"}, l.last())
	_, err = l.Write([]byte(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	require.Len(t, l.last(), 1)
	require.Len(t, l.last()[0], maxLine)
}
