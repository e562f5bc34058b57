package reports

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of too many runs the newest are read, whether they are of suites or not.
func TestNewestFirst(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"suite-20261101T000000-x", "20261102T000000-a", "suite-20261103T000000-x", "20261031T000000-b", "latest"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	newestFirst(entries)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"latest", "suite-20261103T000000-x", "20261102T000000-a", "suite-20261101T000000-x", "20261031T000000-b"}, names)
}
