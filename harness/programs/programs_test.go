package programs

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
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

// aProxy makes a module proxy of files, with one small program, and lets the go command use nothing else.
func aProxy(t *testing.T) {
	src, proxy := t.TempDir(), t.TempDir()
	at := filepath.Join(proxy, "example.com", "tool", "@v")
	require.NoError(t, os.MkdirAll(at, 0o755))
	for path, text := range map[string]string{
		filepath.Join(src, "go.mod"):     "module example.com/tool\n\ngo 1.24\n",
		filepath.Join(src, "main.go"):    "package main\n\nimport _ \"net\"\n\nfunc main() { println(\"here\") }\n",
		filepath.Join(at, "v1.2.0.mod"):  "module example.com/tool\n\ngo 1.24\n",
		filepath.Join(at, "v1.2.0.info"): `{"Version": "v1.2.0"}`,
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	f, err := os.Create(filepath.Join(at, "v1.2.0.zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(f, module.Version{Path: "example.com/tool", Version: "v1.2.0"}, src))
	require.NoError(t, f.Close())
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "example.com")
	cache := t.TempDir()
	t.Setenv("GOMODCACHE", cache)
	t.Cleanup(func() { // the go command makes it read-only
		clean := exec.Command("go", "clean", "-modcache")
		clean.Env = append(os.Environ(), "GOMODCACHE="+cache)
		require.NoError(t, clean.Run())
	})
}

// A server is built from its module, static, and nothing else is needed.
func TestBuild(t *testing.T) {
	aProxy(t)
	r := Recipe{Name: "tool", Version: "v1.2.0", Module: "example.com/tool", Package: "example.com/tool"}
	program, err := Build(t.Context(), r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.NoError(t, err)
	require.Equal(t, runtime.GOOS == "linux", runsInScratch(program, runtime.GOARCH), "net alone would make it dynamic")

	r.Package = "example.com/tool/elsewhere"
	_, err = Build(t.Context(), r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "build tool v1.2.0: go build: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Build(ctx, r, runtime.GOARCH, t.TempDir(), io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

func TestBuildNeedsGo(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := Build(t.Context(), Recipe{Name: "tool", Version: "v1.2.0", Module: "example.com/tool"}, runtime.GOARCH, t.TempDir(), io.Discard)
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
