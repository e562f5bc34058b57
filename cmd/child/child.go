// Package child runs `sunder run` in a process of its own, and reads how it ended: whatever becomes of it, whoever
// asked for it goes on.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
)

// Ended is how a run in a process of its own ended.
type Ended struct {
	Code    int
	Dir     string           // of the run, below the directory that it was given; "" if it left none
	Summary *reports.Summary // of its results, if it left any
	Stderr  string           // the last of it
	// CPU is the time of processors that the run took, with its nodes as far as they are processes below it.
	CPU time.Duration
}

// Says returns what the results of a run say, and whether its exit code says the same: alone, it may be that of a
// crash.
func (e Ended) Says() (v checkers.Verdict, same bool) {
	if e.Summary == nil {
		return checkers.Unknown, false
	}
	codes := map[checkers.Verdict]int{checkers.Valid: Valid, checkers.Invalid: Invalid, checkers.Unknown: Unknown}
	code := codes[e.Summary.Verdict]
	return e.Summary.Verdict, e.Code == code || e.Code == Interrupted && e.Summary.Verdict == checkers.Invalid
}

// OwnFlagsEnv tells a process that all of its flags are given, and that sunder.yaml has none for it.
const OwnFlagsEnv = "SUNDER_OWN_FLAGS"

// Run runs `sunder run`. Its error is that there was no such process. An interrupt is handed on once: a terminal's
// would reach the child as well, and a second one ends it at once.
func Run(ctx context.Context, program, out string, args []string) (end Ended, err error) {
	var stdout, stderr bytes.Buffer
	child := exec.CommandContext(ctx, program, append([]string{"run", "--quiet", "--out", out}, args...)...)
	child.Stdout, child.Stderr = &tail{w: &stdout}, &tail{w: &stderr}
	child.Env = append(os.Environ(), OwnFlagsEnv+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) } // it heals, judges and reports
	child.WaitDelay = 3 * time.Minute
	if err := child.Start(); err != nil {
		return end, err
	}
	err = child.Wait()
	end.CPU = child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	end.Stderr = strings.TrimSpace(stderr.String())
	last := strings.TrimSpace(stdout.String())
	if last = last[strings.LastIndexByte(last, '\n')+1:]; filepath.Base(last) == reports.HTMLFile {
		end.Dir = filepath.Base(filepath.Dir(last))
		if s, err := reports.ReadSummary(filepath.Join(out, end.Dir)); err == nil {
			end.Summary = &s
		} else if !errors.Is(err, os.ErrNotExist) {
			end.Stderr += "\n" + err.Error()
		}
	}
	if end.Code = child.ProcessState.ExitCode(); end.Code < 0 { // it was killed
		return end, fmt.Errorf("%w: %s", err, end.Stderr)
	}
	return end, nil
}

// tail keeps the last of what is written.
type tail struct{ w *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.w.Write(p)
	if extra := t.w.Len() - 4<<10; extra > 0 {
		t.w.Next(extra)
	}
	return len(p), nil
}

// CommandLine is a run as it is typed.
func CommandLine(args []string) string {
	words := []string{"sunder run"}
	for _, a := range args {
		words = append(words, Quote(a))
	}
	return strings.Join(words, " ")
}

// Quote makes a word safe for a shell.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:@+%", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
