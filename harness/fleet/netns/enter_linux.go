package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// roleEnv tells a process that it is inside, and what it is there for.
const roleEnv = "SUNDER_NETNS"

// outsideEnv tells a process inside which process has made the namespaces, by its number outside.
const outsideEnv = "SUNDER_NETNS_OUTSIDE"

// What a process inside is there for.
const (
	roleRun      = "run"        // a run, in a process namespace of its own too
	roleRunNoPID = "run-no-pid" // ... where /proc cannot be mounted
	roleTry      = "try"        // to find out whether it works
	roleTryNoPID = "try-no-pid"
)

// interruptedFor is how long a run that was interrupted may take to heal and to judge.
const interruptedFor = 3 * time.Minute

// Inside reports whether this process is in namespaces that [Enter] made.
func Inside() bool { return strings.HasPrefix(os.Getenv(roleEnv), roleRun) }

// Door returns the words before a command that let it reach the nodes, for another terminal.
func Door() string {
	return fmt.Sprintf("nsenter --preserve-credentials -U -n -t $(pgrep -P %s)", os.Getenv(outsideEnv))
}

// Arrive is to be called first of all by a program that calls [Enter]: inside, it makes ready what the process needs
// there. Elsewhere it does nothing.
func Arrive() {
	role := os.Getenv(roleEnv)
	var err error
	switch role {
	case "":
		return
	case roleTry, roleTryNoPID, roleRun, roleRunNoPID:
		err = enclosed()
	default:
		err = fmt.Errorf("%s=%q: it is for sunder's own use", roleEnv, role)
	}
	switch {
	case err != nil:
	case role == roleTry || role == roleTryNoPID:
		err = json.NewEncoder(os.Stdout).Encode(try(role == roleTry))
	default:
		failed := settle(role == roleRun)
		if failed == nil {
			return
		}
		err = failed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sunder:", err)
		os.Exit(255)
	}
	os.Exit(0)
}

// enclosed returns an error unless this process is in a user namespace like one that enter makes: of one user. Whoever
// sets the variable by hand must not have the host's network and mounts changed.
func enclosed() error {
	mapped, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	return mappedAlone(string(mapped))
}

// mappedAlone looks for one user in what a user namespace maps.
func mappedAlone(mapped string) error {
	if fields := strings.Fields(mapped); len(fields) != 3 || fields[0] != "0" || fields[2] != "1" {
		return fmt.Errorf("%s is set, and this process is in no user namespace of sunder's: unset it", roleEnv)
	}
	return nil
}

// settle makes ready what a process inside needs: a /proc that shows its own processes, and a loopback interface.
func settle(ownPID bool) *trial {
	if ownPID {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			return failed(stepMount, err)
		}
		if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
			return failed(stepMount, err)
		}
	}
	onlyIPv4()
	if err := upLoopback(); err != nil {
		return failed(stepLoopback, err)
	}
	return nil
}

// Enter runs this program again, with other arguments, in user, network, mount, process and IPC namespaces of its own,
// where it is root and reaches nothing but what it makes itself, and returns its exit code. Whatever ends this process
// ends that one, and what it started: the kernel sees to it.
func Enter(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) (code int, err error) {
	role, err := works(ctx)
	if err != nil {
		return 0, err
	}
	return enter(ctx, role, args, stdin, stdout, stderr)
}

func enter(
	ctx context.Context, role string, args []string, stdin *os.File, stdout, stderr io.Writer,
) (code int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Env = append(os.Environ(), roleEnv+"="+role, fmt.Sprintf("%s=%d", outsideEnv, os.Getpid()))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it heals, judges and reports
	cmd.WaitDelay = interruptedFor
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
		Setpgid:     true, // Ctrl-C at a terminal comes here alone, and is passed on
	}
	if role == roleRun || role == roleTry {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	}
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread that starts it (golang/go#27505)
		ended <- cmd.Run()
	}()
	err = <-ended
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	case err != nil && cmd.ProcessState != nil && cmd.ProcessState.ExitCode() >= 0: // ctx ended, and it ended well
		return cmd.ProcessState.ExitCode(), nil
	}
	return 0, err
}
