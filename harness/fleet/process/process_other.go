//go:build unix && !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Thread starts children; it matters only on Linux from which thread.
type Thread struct{}

// NewThread returns a thread.
func NewThread() Thread { return Thread{} }

// Start starts a child, in a process group of its own. That it ends with us is up to a pipe that it reads.
func (Thread) Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}

// Close ends the thread.
func (Thread) Close() {}

// isStopped reports whether a process stands still by a signal.
func isStopped(pid int) (bool, error) {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(strings.TrimSpace(string(state)), "T"), err
}
