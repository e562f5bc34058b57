package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sunder-dev/sunder/harness"
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

// tryTimeout is how long a trial may take.
const tryTimeout = 20 * time.Second

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
	code, err := enter(ctx, role, nil, nil, &said, &complained)
	if err != nil {
		return failed(stepClone, err)
	}
	var t *trial
	if err := json.Unmarshal([]byte(said.String()), &t); err != nil {
		return failed(stepClone, fmt.Errorf("exit code %d: %s%s", code, said.String(), complained.String()))
	}
	return t
}

// of says in words what is special about a role.
func of(role string) string {
	if role == roleRunNoPID {
		return "; processes share a namespace with others, as /proc cannot be mounted"
	}
	return ""
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
