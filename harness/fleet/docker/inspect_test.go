//go:build unix

package docker

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/programs"
)

// What somebody else does to a pod or a node is named; what we do ourselves is not.
func TestInspectNamesWhatOthersDid(t *testing.T) {
	p := newPods(t, 3, nil)
	p.launch()
	ctx := t.Context()
	c := p.engine.client
	require.NoError(t, p.Inspect(ctx))
	require.NoError(t, p.nodes["n1"].Pause(ctx))
	require.NoError(t, p.nodes["n2"].(harness.Unplugger).Unplug(ctx))
	require.NoError(t, p.nodes["n3"].Kill(ctx))
	require.NoError(t, p.Inspect(ctx), "that is our own doing")
	require.NoError(t, p.nodes["n1"].Resume(ctx))
	require.NoError(t, p.nodes["n2"].(harness.Unplugger).Plug(ctx))
	require.NoError(t, p.nodes["n3"].Start(ctx))
	require.NoError(t, p.Inspect(ctx))

	node := p.nodes["n1"].(*dockerNode)
	require.NoError(t, c.ContainerPause(ctx, node.id))
	require.ErrorContains(t, p.Inspect(ctx), "the container of n1 was paused")
	require.NoError(t, c.ContainerUnpause(ctx, node.id))

	require.NoError(t, c.ContainerPause(ctx, node.pod.id))
	require.ErrorContains(t, p.Inspect(ctx), "the pod of n1, which owns its network, was paused")
	require.NoError(t, c.ContainerUnpause(ctx, node.pod.id))

	require.NoError(t, c.NetworkDisconnect(ctx, p.network, p.pods["n2"].id, true))
	require.ErrorContains(t, p.Inspect(ctx), "the pod of n2 was disconnected from the run's network")

	require.NoError(t, c.ContainerKill(ctx, p.pods["n3"].id, "SIGKILL"))
	p.eventually(func() bool { return p.Inspect(ctx) != nil }, "the end is seen")
	require.ErrorContains(t, p.Inspect(ctx), "the pod of n3, which owns its network, was ended with code 137")
	require.NoError(t, c.ContainerStart(ctx, p.pods["n3"].id, container.StartOptions{}))
	require.ErrorContains(t, p.Inspect(ctx), "the pod of n3, which owns its network, was restarted at")
}

// freezing is an engine whose freezer fails a few times.
type freezing struct {
	client.APIClient
	fails int
}

func (f *freezing) ContainerPause(ctx context.Context, id string) error {
	if f.fails--; f.fails >= 0 {
		return errors.New("unable to freeze")
	}
	return f.APIClient.ContainerPause(ctx, id)
}

// A pause that fails on a busy machine is tried again, for as long as there is time; then it says that it did nothing.
func TestAPauseIsTriedAgain(t *testing.T) {
	p := newPods(t, 1, func(e *Engine) { e.client = &freezing{e.client, 2} })
	p.launch()
	require.NoError(t, p.nodes["n1"].Pause(t.Context()))
	require.NoError(t, p.nodes["n1"].Resume(t.Context()))

	p.engine.client.(*freezing).fails = 1 << 30
	ctx, cancel := context.WithTimeout(t.Context(), 3*pauseAgain)
	defer cancel()
	err := p.nodes["n1"].Pause(ctx)
	require.ErrorIs(t, err, harness.ErrDidNothing)
	require.ErrorContains(t, err, "unable to freeze")
}

// Images of other builds of sunder are removed, and that of this one stays.
func TestCleanImages(t *testing.T) {
	engine := anEngine(t)
	defer engine.Close()
	own, err := ownImage()
	require.NoError(t, err)
	program, _, err := programs.Self(t.Context(), engine.Arch(), t.TempDir(), io.Discard)
	require.NoError(t, err)
	const old = ownImages + "0ld"
	require.NoError(t, engine.Import(t.Context(), old, program, AgentProgram, "sunder (old)"))
	removed, err := engine.CleanImages(t.Context())
	require.NoError(t, err)
	require.Contains(t, removed, old)
	require.NotContains(t, removed, own)
	_, there, err := engine.HasImage(t.Context(), own)
	require.NoError(t, err)
	require.True(t, there)
}

// An engine that is not on this machine is refused by what was asked for, before anything is sent to it.
func TestEnginesOnOtherMachines(t *testing.T) {
	for _, host := range []string{"tcp://10.0.0.7:2376", "ssh://somebody@elsewhere", "tcp://127.0.0.1:1"} {
		t.Setenv("DOCKER_HOST", host)
		_, err := Connect(t.Context())
		require.ErrorContains(t, err, "DOCKER_HOST is "+host)
	}
	require.NoError(t, allowed(""))
	require.NoError(t, allowed("unix:///var/run/docker.sock"))
}
