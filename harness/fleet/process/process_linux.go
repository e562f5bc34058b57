package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Thread starts children on one thread of the system's that lives until it is closed: the kernel ties Pdeathsig, and a
// network namespace, to the starting thread, and Go ends threads as it likes (golang/go#27505).
type Thread struct{ jobs chan func() }

// NewThread returns a thread. It runs until [Thread.Close].
func NewThread() Thread {
	t := Thread{jobs: make(chan func())}
	go t.run()
	return t
}

// run does jobs until there are no more, on a thread that ends then. The main thread never ends, and is what others see
// of the process: it is kept out of it.
func (t Thread) run() {
	runtime.LockOSThread()
	if syscall.Gettid() == syscall.Getpid() {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			t.run()
		}()
		<-ended
		runtime.UnlockOSThread()
		return
	}
	for job := range t.jobs {
		job()
	}
	// The goroutine ends with the thread locked, and the thread with it.
}

// Do does a job on the thread, and returns what came of it.
func (t Thread) Do(job func() error) error {
	done := make(chan error)
	t.jobs <- func() { done <- job() }
	return <-done
}

// Start starts a child, in a process group of its own. The kernel kills it when the thread ends.
func (t Thread) Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return t.Do(cmd.Start)
}

// Close ends the thread, and with it the children that it started.
func (t Thread) Close() { close(t.jobs) }

// isStopped reports whether a process stands still by a signal.
func isStopped(pid int) (bool, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	// The state follows the name, which is in parentheses and may contain anything.
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 || i+2 >= len(stat) {
		return false, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	return stat[i+2] == 'T', nil
}
