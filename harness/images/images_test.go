package images

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheModuleOfARecipe(t *testing.T) {
	r := Recipe{Name: "server", Version: "v3.1.0", Module: "example.com/server/v3", Replace: map[string]string{"example.com/other": "v0.1.0"}}
	mod, err := r.goMod()
	require.NoError(t, err)
	require.Equal(t, `module sunder.invalid/server

go 1.24

require example.com/server/v3 v3.1.0

replace example.com/other => example.com/other v0.1.0
`, string(mod))
	require.Equal(t, "sunder/server:v3.1.0", r.Ref())
	for _, version := range []string{"3.1.0", "v2.0.0", "latest", "v3", ""} {
		r.Version = version
		require.ErrorContains(t, r.Check(), "server has no version", version)
		_, err := r.goMod()
		require.Error(t, err)
	}
}

// A server is built from its module, static; here a small one.
func TestBuild(t *testing.T) {
	r := Recipe{Name: "tool", Version: "v1.2.0", Module: "rsc.io/quote", Package: "rsc.io/quote/buggy"}
	_, err := Build(t.Context(), r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "build tool v1.2.0: go build: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Build(ctx, r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	t.Setenv("PATH", "")
	_, err = Build(t.Context(), r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorIs(t, err, errNoGo)
}

// A test's program is not sunder, so sunder is built from the source that is here.
func TestSelf(t *testing.T) {
	program, digest, err := Self(t.Context(), runtime.GOARCH, t.TempDir(), io.Discard)
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{12}$", digest)
	require.Equal(t, runtime.GOOS == "linux", runsInScratch(program, runtime.GOARCH))
	require.False(t, runsInScratch(program, "s390x"))
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	require.False(t, runsInScratch(script, runtime.GOARCH))

	t.Chdir(t.TempDir()) // no source is here
	_, _, err = Self(t.Context(), runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "build it with CGO_ENABLED=0 go build")
}
