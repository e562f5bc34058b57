package programs

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program is built once, kept by version, and built anew only if that is asked for. Two builds at once do not disturb
// each other, and one that fails leaves what was there.
func TestProgramsAreKept(t *testing.T) {
	aProxy(t)
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	r := Recipe{Name: "tool", Version: "v1.2.0", Module: "example.com/tool", Package: "example.com/tool"}
	path, there, err := Cached(r, runtime.GOARCH)
	require.NoError(t, err)
	require.False(t, there)
	require.True(t, strings.HasPrefix(path, cache))

	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			var said strings.Builder
			got, err := Program(t.Context(), r, runtime.GOARCH, false, &said)
			require.NoError(t, err)
			require.Equal(t, path, got)
		})
	}
	both.Wait()
	var said strings.Builder
	_, err = Program(t.Context(), r, runtime.GOARCH, false, &said)
	require.NoError(t, err)
	require.Empty(t, said.String(), "it was there")
	_, err = Program(t.Context(), r, runtime.GOARCH, true, &said)
	require.NoError(t, err)
	require.Contains(t, said.String(), "building tool v1.2.0 from example.com/tool")
	require.Contains(t, said.String(), "is built")

	r.Package = "example.com/tool/elsewhere"
	_, err = Program(t.Context(), r, runtime.GOARCH, true, &said)
	require.Error(t, err)
	_, there, err = Cached(r, runtime.GOARCH)
	require.NoError(t, err)
	require.True(t, there)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half built is left")

	r.Version = "../../v1.0.0" // it becomes part of a path
	_, _, err = Cached(r, runtime.GOARCH)
	require.ErrorContains(t, err, "has no version")
}
