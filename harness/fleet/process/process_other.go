//go:build unix && !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing here: the watchdog pipe does it.
func dieWithParent(*syscall.SysProcAttr) {}

// Thread starts children; it matters only on Linux from which thread.
type Thread struct{}

// NewThread returns a thread.
func NewThread() Thread { return Thread{} }

// Start starts a child.
func (Thread) Start(cmd *exec.Cmd) error { return cmd.Start() }

// Close ends the thread.
func (Thread) Close() {}

// isStopped reports whether a process stands still by a signal.
func isStopped(pid int) (bool, error) {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(strings.TrimSpace(string(state)), "T"), err
}
