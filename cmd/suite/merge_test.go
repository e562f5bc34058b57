package suite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not there is no copy of nothing.
func TestCopyTree(t *testing.T) {
	require.Error(t, copyTree(t.TempDir(), filepath.Join(t.TempDir(), "not-there")))
	require.NoError(t, copyTree(filepath.Join(t.TempDir(), "new"), t.TempDir()))
}
