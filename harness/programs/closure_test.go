package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClosure(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(at("home/conf"), 0o755))
	require.NoError(t, os.MkdirAll(at("etc"), 0o755))
	require.NoError(t, os.WriteFile(at("etc/app.conf"), nil, 0o644))
	require.NoError(t, os.WriteFile(at("home/app.jar"), nil, 0o644))
	require.NoError(t, os.Symlink("../../etc/app.conf", at("home/conf/app.conf")))
	require.NoError(t, os.Symlink(at("nowhere"), at("home/conf/dangling")))
	require.NoError(t, os.Symlink("home", at("current")))
	got, err := Closure([]string{at("current/conf"), at("current/app.jar")})
	require.NoError(t, err)
	require.Equal(t, []string{
		at("current"), at("etc/app.conf"), at("home/app.jar"), at("home/conf"), at("home/conf/app.conf"), at("home/conf/dangling"),
	}, got)

	_, err = Closure([]string{at("nowhere")})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Closure([]string{"current"})
	require.ErrorContains(t, err, "is not absolute")
	require.NoError(t, os.Symlink("loop", at("loop")))
	_, err = Closure([]string{at("loop")})
	require.ErrorContains(t, err, "too many links")
}

// A program comes with its libraries and what loads them: it runs where nothing else is.
func TestClosureOfAProgram(t *testing.T) {
	ls, err := exec.LookPath("ls")
	require.NoError(t, err)
	got, err := Closure([]string{ls})
	require.NoError(t, err)
	for _, part := range []string{"/ls", "ld-linux", "libc.so"} {
		require.True(t, slices.ContainsFunc(got, func(p string) bool {
			ok, _ := filepath.Match("*"+filepath.Base(part)+"*", filepath.Base(p))
			return ok
		}), "%s is not among %v", part, got)
	}
}
