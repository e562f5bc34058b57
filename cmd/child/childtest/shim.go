// Package childtest makes programs that end as a run might.
package childtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Shim returns a program that does what a script of sh says, whatever its arguments are.
func Shim(t *testing.T, script string) string {
	path := filepath.Join(t.TempDir(), "shim")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	return path
}
