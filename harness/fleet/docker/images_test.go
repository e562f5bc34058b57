//go:build unix

package docker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"
)

// aRegistry starts a registry on loopback, of which images can be pulled as from anywhere.
func aRegistry(t *testing.T) (host string) {
	const program = "docker-registry" // Debian's package of the same name
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have %s: %v", program, err)
		}
		t.Skipf("no %s: %v", program, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host = l.Addr().String()
	require.NoError(t, l.Close())
	config := filepath.Join(t.TempDir(), "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n", t.TempDir(), host), 0o644))
	cmd := exec.Command(program, "serve", config)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", host)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
	return host
}

func TestPull(t *testing.T) {
	e := anEngine(t)
	defer e.Close()
	own, err := ownImage()
	require.NoError(t, err)
	ref := aRegistry(t) + "/some/image:v1"
	ctx := t.Context()
	silent := func(string) {}
	require.Error(t, e.Pull(ctx, ref, silent), "it is not there yet")

	require.NoError(t, e.client.ImageTag(ctx, own, ref))
	push, err := e.client.ImagePush(ctx, ref, image.PushOptions{RegistryAuth: "e30="})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, push)
	require.NoError(t, errors.Join(err, push.Close()))
	_, err = e.client.ImageRemove(ctx, ref, image.RemoveOptions{})
	require.NoError(t, err)
	_, ok, err := e.HasImage(ctx, ref)
	require.NoError(t, err)
	require.False(t, ok)

	said := 0
	require.NoError(t, e.Pull(ctx, ref, func(string) { said++ }))
	require.Positive(t, said)
	_, ok, err = e.HasImage(ctx, ref)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = e.client.ImageRemove(ctx, ref, image.RemoveOptions{})
	require.NoError(t, err)
	require.ErrorContains(t, e.Pull(ctx, "127.0.0.1:1/nobody:v1", silent), "refused")
}
