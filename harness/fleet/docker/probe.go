package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/testcontainers/testcontainers-go"
)

// Facts are what the engine says of the machine that it runs on.
type Facts struct {
	Version, API, Kernel, OS, Cgroup, Storage, Root string
	CPUs                                            int
	MemoryBytes                                     int64
	Direct                                          bool // containers' addresses can be reached from here
}

// Facts returns what the engine says of its machine.
func (e *Engine) Facts() Facts {
	return Facts{
		Version: e.info.ServerVersion, API: e.api, Kernel: e.info.KernelVersion, OS: e.info.OperatingSystem,
		Cgroup: "v" + e.info.CgroupVersion + ", " + e.info.CgroupDriver, Storage: e.info.Driver, Root: e.info.DockerRootDir,
		CPUs: e.info.NCPU, MemoryBytes: e.info.MemTotal, Direct: e.direct(),
	}
}

// RunInPod runs a command in a container like a pod's, with no network but its own loopback, and
// returns what it printed.
func (e *Engine) RunInPod(ctx context.Context, image string, command ...string) (said string, err error) {
	f := New(e, Config{Name: "probe", Agent: image})
	if f.place, err = leasePlace(); err != nil {
		return "", err
	}
	if f.lease, err = takeLease(f.id); err != nil {
		return "", err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_, removeErr := e.remove(ctx, f.lease.run)
		err = errors.Join(err, removeErr, f.lease.release())
	}()
	id, err := f.create(ctx, testcontainers.ContainerRequest{
		Name: f.containerName("probe"), Image: image, Labels: f.labels(), Entrypoint: command,
		ConfigModifier: func(c *container.Config) { c.User = "0:0" },
		HostConfigModifier: func(h *container.HostConfig) {
			harden(h)
			h.CapAdd = []string{"NET_ADMIN"}
			h.NetworkMode = "none"
		},
	})
	if err != nil {
		return "", err
	}
	if err := e.client.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return "", err
	}
	ended, failed := e.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	var code int64
	select {
	case end := <-ended:
		code = end.StatusCode
	case err := <-failed:
		return "", err
	}
	logs, err := e.client.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return "", err
	}
	defer logs.Close()
	var out strings.Builder
	if err := demultiplex(logs, func(m []byte) { out.Write(m) }); err != nil {
		return "", err
	}
	if code != 0 {
		return "", fmt.Errorf("%s ended with code %d: %s", command, code, out.String())
	}
	return out.String(), nil
}
