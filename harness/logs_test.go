package harness

import (
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
	w := &tap{Writer: logs["n1"], claim: func(line []byte) { heard++ }}
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
