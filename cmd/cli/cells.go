package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/suite"
	"github.com/sunder-dev/sunder/reports"
)

// runAll runs the cells of a suite, a few at a time, and says how each ended as soon as it has: to people, and in the
// suite's file.
func (f *suiteFlags) runAll(cmd *cobra.Command, cells []suite.Cell, result *reports.Suite) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	file, ok := cmd.ErrOrStderr().(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	slots := make(chan struct{}, f.jobs)
	var wait sync.WaitGroup
	var mu sync.Mutex // over the result
	done := 0
	end := func(i int, o reports.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		result.Outcomes[i], result.Took = o, time.Since(result.Started)
		if err := result.Save(f.out); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err) // the next one may be written, and the last one must be
		}
		done++
		if terminal {
			fmt.Fprint(file, clearLine)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "[%*d/%d] %-7s %5.1f s  %s%s\n", len(fmt.Sprint(len(cells))), done, len(cells), o.Status, o.Took.Seconds(), o.Name, asExpected(o))
	}
	for i, c := range cells {
		slots <- struct{}{}
		mu.Lock()
		o := result.Outcomes[i]
		if terminal {
			fmt.Fprintf(file, "%s[%d/%d] … %s", clearLine, i+1, len(cells), o.Name)
		}
		mu.Unlock()
		switch {
		case cmd.Context().Err() != nil:
			o.Why = "the suite was interrupted"
		case f.budget > 0 && time.Since(result.Started)+f.atLeast(c) > f.budget:
			o.Why = "the suite's time budget is spent"
		default:
			wait.Go(func() {
				defer func() { <-slots }()
				end(i, f.runCell(cmd.Context(), program, f.out, c, o))
			})
			continue
		}
		<-slots
		end(i, o)
	}
	wait.Wait()
	return nil
}

func asExpected(o reports.Outcome) string {
	if o.Status == reports.Passed && o.Expect == string(suite.Invalid) {
		return " (invalid, as expected)"
	}
	return ""
}

// commandLine is a run as it is typed.
func commandLine(args []string) string {
	words := []string{"sunder run"}
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// duration returns one of a cell's flags; what a run takes if it says nothing.
func (a app) duration(c suite.Cell, flag string) time.Duration {
	flags := a.newRunCommand().Flags()
	if v, ok := c.Flags[flag]; ok {
		_ = flags.Set(flag, v) // it was tried when the suite was read
	}
	d, _ := flags.GetDuration(flag) // there is such a flag
	return d
}

// atLeast is the time that a run takes if all goes well, and atMost if nothing does.
func (a app) atLeast(c suite.Cell) time.Duration { return a.duration(c, "time-limit") + 5*time.Second }

func (a app) atMost(c suite.Cell) time.Duration {
	const slack, most = 5 * time.Minute, 100 * 24 * time.Hour
	sum := slack
	for _, flag := range []string{"time-limit", "launch-timeout", "recover-timeout", "check-timeout"} {
		sum += min(max(a.duration(c, flag), 0), most)
	}
	return sum
}

// runCell runs one cell in a process of its own: whatever becomes of it, the suite goes on. How it ended is what
// its results say, if its exit code says the same.
func (a app) runCell(ctx context.Context, program, out string, c suite.Cell, o reports.Outcome) reports.Outcome {
	limited, stop := context.WithTimeout(ctx, a.atMost(c))
	defer stop()
	started := time.Now()
	end, err := runChild(limited, program, out, c.Args())
	o.Took, o.Dir, o.Why = time.Since(started), end.dir, ""
	if end.summary != nil {
		o.Why, o.Command = end.summary.Why, end.summary.Command
	}
	switch verdict, ok := end.verdict(); {
	case verdict == checkers.Invalid && c.Expect == suite.Valid: // that stands however the run ended
		o.Status = reports.Failed
	case err != nil:
		o.Status, o.Why = reports.Broken, err.Error()
	case ok && end.summary.Missed && c.Expect == suite.Invalid:
		o.Status = reports.Failed
	case ok && verdict == checkers.Unknown:
		o.Status = reports.Unknown
	case ok && verdict != checkers.Unknown && string(c.Expect) == verdict.String():
		o.Status = reports.Passed
	case ok && verdict == checkers.Valid:
		o.Status, o.Why = reports.Failed, "a violation was expected, and none was found"
	case end.code == exitInterrupted && ctx.Err() != nil:
		o.Status, o.Why = reports.NotRun, "the suite was interrupted"
	case limited.Err() != nil:
		o.Status, o.Why = reports.Broken, fmt.Sprintf("it did not end in %s, and was ended", a.atMost(c))
	case end.summary == nil:
		o.Status, o.Why = reports.Broken, fmt.Sprintf("exit code %d and no verdict: %s", end.code, end.stderr)
	default:
		o.Status, o.Why = reports.Broken, fmt.Sprintf("%s (exit code %d, and its results say %s: %s)", o.Why, end.code, end.summary.Verdict, end.stderr)
	}
	return o
}

// ended is how a run in a process of its own ended.
type ended struct {
	code    int
	dir     string           // of the run, below the directory that it was given; "" if it left none
	summary *reports.Summary // of its results, if it left any
	stderr  string           // the last of it
}

// verdict returns what the results of a run say, and whether its exit code says the same: alone, it may be that of a crash.
func (e ended) verdict() (v checkers.Verdict, same bool) {
	if e.summary == nil {
		return checkers.Unknown, false
	}
	code := map[checkers.Verdict]int{checkers.Valid: exitValid, checkers.Invalid: exitInvalid, checkers.Unknown: exitUnknown}[e.summary.Verdict]
	return e.summary.Verdict, e.code == code || e.code == exitInterrupted && e.summary.Verdict == checkers.Invalid
}

// runChild runs `sunder run`. Its error is that there was no such process. An interrupt is handed on once: a terminal's
// would reach the child as well, and a second one ends it at once.
func runChild(ctx context.Context, program, out string, args []string) (end ended, err error) {
	var stdout, stderr bytes.Buffer
	child := exec.CommandContext(ctx, program, append([]string{"run", "--quiet", "--out", out}, args...)...)
	child.Stdout, child.Stderr = &tail{w: &stdout}, &tail{w: &stderr}
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) } // it heals, judges and reports
	child.WaitDelay = 3 * time.Minute
	if err := child.Start(); err != nil {
		return end, err
	}
	err = child.Wait()
	end.stderr = strings.TrimSpace(stderr.String())
	last := strings.TrimSpace(stdout.String())
	if last = last[strings.LastIndexByte(last, '\n')+1:]; filepath.Base(last) == reports.HTMLFile {
		end.dir = filepath.Base(filepath.Dir(last))
		if s, err := reports.ReadSummary(filepath.Join(out, end.dir)); err == nil {
			end.summary = &s
		} else if !errors.Is(err, os.ErrNotExist) {
			end.stderr += "\n" + err.Error()
		}
	}
	if end.code = child.ProcessState.ExitCode(); end.code < 0 { // it was killed
		return end, fmt.Errorf("%w: %s", err, end.stderr)
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
