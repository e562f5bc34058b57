package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"github.com/testcontainers/testcontainers-go"
)

// Engine is the container engine of this machine. Only the files of the docker fleet know which
// libraries talk to it.
type Engine struct {
	provider *testcontainers.DockerProvider
	client   client.APIClient
	info     system.Info
	api      string
}

// connectTimeout is how long an engine may take to answer at all.
const connectTimeout = 5 * time.Second

// Connect finds the engine: by DOCKER_HOST, the docker context, or the usual sockets.
func Connect(ctx context.Context) (*Engine, error) {
	// Its reaper kills everything ten seconds after a controller is gone, and must itself be pulled and
	// given the engine's socket. We label what we make instead; see Clean. The setting is read once,
	// before the first call.
	if err := os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := allowed(os.Getenv("DOCKER_HOST")); err != nil {
		return nil, err
	}
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithDefaultBridgeNetwork("bridge"))
	if err != nil {
		return nil, fmt.Errorf("no container engine%s: %w", asked(), err)
	}
	e := &Engine{provider: provider, client: provider.Client()}
	if err := e.look(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("no container engine answers at %s%s: %w",
			e.client.DaemonHost(), asked(), err), e.Close())
	}
	return e, nil
}

// asked says which engine was asked for, if one was.
func asked() string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return fmt.Sprintf(" (DOCKER_HOST is %s)", host)
	}
	if name := os.Getenv("DOCKER_CONTEXT"); name != "" {
		return fmt.Sprintf(" (DOCKER_CONTEXT is %s)", name)
	}
	return ""
}

// allowed refuses an engine on another machine, before anybody tries to reach it: all traffic of a run stays here.
func allowed(host string) error {
	if host == "" || strings.HasPrefix(host, "unix://") || strings.HasPrefix(host, "npipe://") {
		return nil
	}
	return fmt.Errorf(
		"DOCKER_HOST is %s: an engine on another machine, or one that is not spoken to by a socket of this one, which "+
			"sunder does not break clusters on; unset DOCKER_HOST, or give it a unix:// address",
		host,
	)
}

// look learns what the engine is, and refuses one on another machine: all traffic of a run stays here.
func (e *Engine) look(ctx context.Context) error {
	if host := e.client.DaemonHost(); !strings.HasPrefix(host, "unix://") && !strings.HasPrefix(host, "npipe://") {
		return errors.New("this engine is on another machine; sunder breaks clusters on this one only")
	}
	// The library looks elsewhere if what was asked for is not there.
	if host := os.Getenv("DOCKER_HOST"); host != "" && host != e.client.DaemonHost() {
		return fmt.Errorf("DOCKER_HOST is %s, where there is none", host)
	}
	ping, err := e.client.Ping(ctx)
	if err != nil {
		return err
	}
	e.client.NegotiateAPIVersionPing(ping)
	e.api = e.client.ClientVersion()
	e.info, err = e.client.Info(ctx)
	return err
}

// Close ends the connections to the engine.
func (e *Engine) Close() error { return e.provider.Close() }

// Arch is the engine's processor architecture as Go names it.
func (e *Engine) Arch() string {
	switch a := e.info.Architecture; a {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	default:
		return a
	}
}

// direct reports whether the addresses of containers can be reached from here. Where the engine
// runs in a virtual machine or in a namespace of its own they cannot.
func (e *Engine) direct() bool {
	return runtime.GOOS == "linux" && !strings.Contains(e.info.OperatingSystem, "Docker Desktop") &&
		!slices.ContainsFunc(e.info.SecurityOptions, func(o string) bool { return strings.Contains(o, "rootless") })
}
