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

	"github.com/sunder-dev/sunder/harness"
)

// roleEnv tells a process that it is inside, and what it is there for.
const roleEnv = "SUNDER_NETNS"

// What a process inside is there for.
const (
	roleRun      = "run"        // a run, in a process namespace of its own too
	roleRunNoPID = "run-no-pid" // ... where /proc cannot be mounted
	roleTry      = "try"        // to find out whether it works
	roleTryNoPID = "try-no-pid"
)

// Steps of a [trial].
const (
	stepClone    = "clone"
	stepMount    = "mount /proc"
	stepLoopback = "loopback"
	stepNetwork  = "network"
	stepPacket   = "one packet"
	stepCut      = "cut"
)

const (
	tryTimeout     = 20 * time.Second
	interruptedFor = 3 * time.Minute // how long a run that was interrupted may take to heal and to judge
)

// of says in words what is special about a role.
func of(role string) string {
	if role == roleRunNoPID {
		return "; processes share a namespace with others, as /proc cannot be mounted"
	}
	return ""
}

// Inside reports whether this process is in namespaces that [Enter] made.
func Inside() bool { return strings.HasPrefix(os.Getenv(roleEnv), roleRun) }

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

// trial is a step that failed, and why.
type trial struct {
	Step string        `json:"step,omitempty"` // empty if all went well
	Why  string        `json:"why,omitempty"`
	No   syscall.Errno `json:"errno,omitempty"`
}

// Error implements [error].
func (t *trial) Error() string { return fmt.Sprintf("%s: %s", t.Step, t.Why) }

func failed(step string, err error) *trial {
	t := &trial{Step: step, Why: err.Error()}
	errors.As(err, &t.No)
	return t
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

// try does all that a run does, to a network of two nodes.
func try(ownPID bool) *trial {
	if t := settle(ownPID); t != nil {
		return t
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout/2)
	defer cancel()
	f := New(os.TempDir(), "")
	defer func() { _ = f.Close() }() // the namespaces end with this process
	if err := f.Plan(ctx, []string{"n1", "n2"}, []string{"peer"}); err != nil {
		return failed(stepNetwork, err)
	}
	link := harness.Link{From: "n1", To: "n2"}
	counts := func(what string, of func(harness.Traffic) uint64) *trial {
		for ctx.Err() == nil {
			seen, err := f.Traffic(ctx, []harness.Link{link})
			if err == nil && of(seen[link]) > 0 {
				return nil
			}
			if err = errors.Join(err, f.Probe(ctx, []harness.Link{link})); err != nil {
				return failed(what, err)
			}
			time.Sleep(time.Millisecond)
		}
		return failed(what, ctx.Err())
	}
	if t := counts(stepPacket, func(t harness.Traffic) uint64 { return t.Passed }); t != nil {
		return t
	}
	if err := f.Shape(ctx, map[harness.Link]harness.Impairment{link: {Drop: true}}); err != nil {
		return failed(stepCut, err)
	}
	return counts(stepCut, func(t harness.Traffic) uint64 { return t.Dropped })
}

// works finds out whether a run can go inside, by doing it, and in what role.
func works(ctx context.Context) (role string, err error) {
	first := attempt(ctx, roleTry)
	if first == nil {
		return roleRun, nil
	}
	if first.Step == stepMount { // in containers parts of /proc are hidden, so that no other one can be mounted
		second := attempt(ctx, roleTryNoPID)
		if second == nil {
			return roleRunNoPID, nil
		}
		err = fmt.Errorf("; without a process namespace: %w", second)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", errors.New(first.Error() + advice(*first) + said(err))
}

// said is what an error says, if there is one.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func attempt(ctx context.Context, role string) *trial {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var said, complained strings.Builder
	code, err := enter(ctx, role, nil, &said, &complained)
	if err != nil {
		return failed(stepClone, err)
	}
	var t *trial
	if err := json.Unmarshal([]byte(said.String()), &t); err != nil {
		return failed(stepClone, fmt.Errorf("exit code %d: %s%s", code, said.String(), complained.String()))
	}
	return t
}

// Enter runs this program again, with other arguments, in user, network, mount, process and IPC namespaces of its own,
// where it is root and reaches nothing but what it makes itself, and returns its exit code. Whatever ends this process
// ends that one, and what it started: the kernel sees to it.
func Enter(ctx context.Context, args []string, stdout, stderr io.Writer) (code int, err error) {
	role, err := works(ctx)
	if err != nil {
		return 0, err
	}
	return enter(ctx, role, args, stdout, stderr)
}

func enter(ctx context.Context, role string, args []string, stdout, stderr io.Writer) (code int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
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

// advice says what helps against a step that fails.
func advice(t trial) string {
	denied := t.No == syscall.EPERM || t.No == syscall.EACCES
	switch {
	case t.Step == stepClone && t.No == syscall.ENOSPC, setting("user.max_user_namespaces") == "0":
		return "; no user namespaces are allowed: sudo sysctl -w user.max_user_namespaces=10000"
	case denied && setting("kernel.unprivileged_userns_clone") == "0":
		return "; only root may make user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case denied && setting("kernel.apparmor_restrict_unprivileged_userns") == "1":
		return "; AppArmor forbids it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case t.Step == stepClone && denied:
		return "; in a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
	case t.Step == stepMount && denied:
		return "; in a container, start it with --security-opt systempaths=unconfined --security-opt apparmor=unconfined"
	case t.No == syscall.EOPNOTSUPP, t.No == syscall.ENOENT, t.No == syscall.EPROTONOSUPPORT:
		return "; a module of the kernel is missing: sudo modprobe -a bridge veth nf_tables"
	}
	return ""
}
