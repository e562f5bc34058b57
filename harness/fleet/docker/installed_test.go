//go:build unix

package docker

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program of this machine works in an image with what it needs and nothing else, beside this very sunder.
func TestAProgramOfThisMachine(t *testing.T) {
	e := anEngine(t)
	defer e.Close()
	ls, err := exec.LookPath("ls")
	require.NoError(t, err)
	var said strings.Builder
	files, err := e.FilesImage(t.Context(), []string{ls}, &said)
	require.NoError(t, err)
	both, err := e.WithSelf(t.Context(), files, &said)
	require.NoError(t, err)
	out, err := e.RunInPod(t.Context(), both, ls, AgentProgram)
	require.NoError(t, err)
	require.Equal(t, AgentProgram, strings.TrimSpace(out))

	said.Reset()
	again, err := e.FilesImage(t.Context(), []string{ls}, &said)
	require.NoError(t, err)
	require.Equal(t, files, again)
	again, err = e.WithSelf(t.Context(), files, &said)
	require.NoError(t, err)
	require.Equal(t, both, again)
	require.Empty(t, said.String(), "it is not made twice")

	removed, err := e.CleanImages(t.Context())
	require.NoError(t, err)
	require.NotContains(t, removed, both, "it is of this sunder")
	require.NotContains(t, removed, files)

	_, err = e.FilesImage(t.Context(), []string{"/nowhere/program"}, &said)
	require.ErrorContains(t, err, "/nowhere/program")
	_, err = e.WithSelf(t.Context(), "sunder/nowhere:v1", &said)
	require.ErrorContains(t, err, "image sunder/nowhere:v1 is not there")
}

// What is made from an image goes first.
func TestTheOrderOfRemoval(t *testing.T) {
	require.Less(t, rank("sunder/sunder:abc-def"), rank("sunder/files:abc"))
	require.Less(t, rank("sunder/files:abc"), rank("sunder/etcd:v3.6.16"))
	require.Equal(t, notOwn, rank("redis:7.2"))
}
