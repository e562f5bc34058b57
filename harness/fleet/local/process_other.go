//go:build unix && !linux

package local

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing here: the watchdog pipe does it.
func dieWithParent(*syscall.SysProcAttr) {}

// starter starts children; it matters only on Linux from which thread.
type starter struct{}

func newStarter() starter { return starter{} }

func (starter) start(cmd *exec.Cmd) error { return cmd.Start() }

func (starter) close() {}

// isStopped reports whether a process stands still by a signal.
func isStopped(pid int) (bool, error) {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(strings.TrimSpace(string(state)), "T"), err
}
