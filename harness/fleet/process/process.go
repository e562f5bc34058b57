//go:build unix

// Package process runs nodes as child processes of the controller, for fleets that differ in what networks the
// processes have. Nodes die with the controller, however it ends.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Node is a node as a child process of the controller, in a process group of its own.
type Node struct {
	name   string
	addrs  map[string]string
	log    io.Writer
	thread Thread

	mu       sync.Mutex
	spec     harness.NodeSpec
	cmd      *exec.Cmd
	watchdog *os.File // the end that dies with us
	exited   chan struct{}
}

// New returns a node that is not started yet, and is reached at the given addresses by port. What it prints goes to
// log. It is started by the given thread, and ends with it.
func New(s harness.NodeSpec, addrs map[string]string, log io.Writer, thread Thread) *Node {
	return &Node{name: s.Name, spec: s, addrs: addrs, log: log, thread: thread}
}

// Name implements [harness.Node].
func (p *Node) Name() string { return p.name }

// Addr implements [harness.Node].
func (p *Node) Addr(port string) string { return p.addrs[port] }

// Pid implements [harness.Process].
func (p *Node) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Exited implements [harness.Node].
func (p *Node) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exited
}

// Start implements [harness.Node].
func (p *Node) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := exec.Command(p.spec.Command[0], p.spec.Command[1:]...)
	cmd.Env = append(append(os.Environ(), p.spec.Env...), fmt.Sprintf("%s=3", harness.WatchdogEnv))
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.ExtraFiles = []*os.File{read} // becomes descriptor 3
	// A grandchild that holds the output open must not keep us waiting.
	cmd.WaitDelay = time.Second
	if err := p.thread.Start(cmd); err != nil {
		return errors.Join(err, write.Close())
	}
	exited := make(chan struct{})
	p.cmd, p.watchdog, p.exited = cmd, write, exited
	go func() {
		_ = cmd.Wait() // how it ended is of no matter: the node's log says more
		write.Close()
		close(exited)
	}()
	return nil
}

// LaunchAs implements [harness.Relauncher].
func (p *Node) LaunchAs(s harness.NodeSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spec = s
}

// running reports whether the process is there; the caller holds mu.
func (p *Node) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends a signal to the whole process group.
func (p *Node) signal(s syscall.Signal) error {
	err := syscall.Kill(-p.cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return nil // gone already
	}
	return err
}

// Kill implements [harness.Node] by SIGKILL; a paused process dies of it too.
func (p *Node) Kill(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the process does not end: %w", ctx.Err())
	}
}

// Wipe implements [harness.Wiper].
func (p *Node) Wipe(context.Context) (bytes int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return 0, errors.New("the disk of a node that runs is not wiped")
	}
	err = filepath.WalkDir(p.spec.DataDir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return bytes, errors.Join(os.RemoveAll(p.spec.DataDir), os.Mkdir(p.spec.DataDir, 0o755))
}

// Pause implements [harness.Node] by SIGSTOP.
func (p *Node) Pause(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return errors.New("there is no process to pause")
	}
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return p.await(ctx, true)
}

// Resume implements [harness.Node] by SIGCONT.
func (p *Node) Resume(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil // it died meanwhile, which is reported elsewhere
	}
	if err := p.signal(syscall.SIGCONT); err != nil {
		return err
	}
	return p.await(ctx, false)
}

// await waits until the process is seen to stand still, or to go on.
func (p *Node) await(ctx context.Context, stopped bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		is, err := isStopped(p.cmd.Process.Pid)
		if err == nil && is == stopped {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("the process ended")
		case <-ctx.Done():
			return fmt.Errorf("the process does not stop or go on: %w", errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}
