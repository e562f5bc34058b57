package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/suite"
	"github.com/sunder-dev/sunder/reports"
)

//go:embed suites
var embeddedSuites embed.FS

// suiteNames lists the suites that come with sunder.
func suiteNames() []string {
	entries, _ := embeddedSuites.ReadDir("suites") // embedded: it is there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// suiteFlags are the flags of sunder suite.
type suiteFlags struct {
	out, only, shard, format string
	seed                     uint64
	jobs                     int
	budget                   time.Duration
	list                     bool
}

func newSuiteCommand() *cobra.Command {
	f := suiteFlags{}
	cmd := &cobra.Command{
		Use:   "suite FILE|" + strings.Join(suiteNames(), "|"),
		Short: "Run many tests, and say what became of each",
		Long: `Run the tests of a suite, each in a process of its own: a list of YAML that multiplies out
targets, fleets, workloads, nemeses and seeds (docs/suites.md). A run may be expected to be
invalid, as with a planted bug: then it is a failure if nothing is found. Nothing is tried
twice: what fails now and then is a finding.

What is left is the directory of each run, index.html, junit.xml, summary.md and suite.json.
In a job of GitHub's, what went wrong is annotated and the summary is the job's too.

Exit codes: 1 if a run failed, else 255 if one broke, else 2 if one is unknown or was not run, else 0.`,
		Example: `  sunder suite smoke
  sunder suite smoke --only /local/              # the runs that need no containers
  sunder suite nightly --seed 20261122 --shard 1/4 --time-budget 40m
  sunder suite mine.yaml --list`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "out", "o", "", "directory for the runs (default runs/suite-<time>-<name>)")
	flags.StringVar(&f.only, "only", "", "only the runs whose names match this regular expression")
	flags.StringVar(&f.shard, "shard", "1/1", "run only the i-th of n parts, as i/n")
	flags.Uint64Var(&f.seed, "seed", 0, "is added to the seed of every run")
	flags.IntVar(&f.jobs, "jobs", 1, "runs at a time; clusters that starve each other are slow, and may look broken")
	flags.DurationVar(&f.budget, "time-budget", 0, "no run is begun that would end later than this (default no limit)")
	flags.BoolVar(&f.list, "list", false, "say what would be run, and run nothing")
	flags.StringVar(&f.format, "format", "text", "what is printed on standard output: text, or json")
	return cmd
}

// exitCode is an error that is an exit code, of which everything has been said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func (f *suiteFlags) run(cmd *cobra.Command, name string) error {
	s, err := readSuite(name)
	if err == nil {
		s.Cells, err = f.choose(s.Cells)
	}
	if err == nil && f.format != "text" && f.format != "json" {
		err = fmt.Errorf("--format: text or json, not %q", f.format)
	}
	if err == nil && f.jobs < 1 {
		err = errors.New("--jobs: at least 1")
	}
	if err != nil {
		return usage(cmd, err)
	}
	if f.list {
		for _, c := range s.Cells {
			fmt.Fprintf(cmd.OutOrStdout(), "%-7s  %s\n", c.Expect, c.Name())
		}
		return nil
	}
	started := time.Now()
	if f.out == "" {
		f.out = filepath.Join("runs", "suite-"+started.UTC().Format("20060102T150405")+"-"+s.Name)
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return usage(cmd, err)
	}
	if _, err := os.Stat(filepath.Join(f.out, reports.SuiteFile)); err == nil {
		return usage(cmd, fmt.Errorf("%s has the runs of a suite already; name another directory", f.out))
	}
	result := reports.Suite{Name: s.Name, Started: started}
	result.Outcomes, err = f.runAll(cmd, s.Cells)
	if err != nil {
		return err
	}
	result.Took = time.Since(started)
	if err := publish(cmd, f.out, result, f.format); err != nil {
		return err
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	return verdictOf(result)
}

// verdictOf makes the worst of a suite's outcomes an exit code.
func verdictOf(s reports.Suite) error {
	switch s.Worst() {
	case reports.Failed:
		return exitCode(exitInvalid)
	case reports.Broken:
		return exitCode(exitError)
	case reports.Unknown, reports.NotRun:
		return exitCode(exitUnknown)
	default:
		return nil
	}
}

// publish writes all that a suite leaves, and says it where people look.
func publish(cmd *cobra.Command, dir string, s reports.Suite, format string) error {
	if err := errors.Join(s.Write(dir), reports.WriteIndex(dir)); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprint(cmd.ErrOrStderr(), s.Annotations())
		if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" {
			if err := appendFile(path, s.Markdown()); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: the job's summary: %v\n", err)
			}
		}
	}
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	for _, o := range s.Outcomes {
		if o.Status != reports.Passed {
			fmt.Fprintf(w, "%-8s %s\n         %s\n         %s\n", o.Status, o.Name, o.Why, o.Command)
		}
	}
	fmt.Fprintf(w, "%s: %d passed, %d failed, %d unknown, %d errors, %d not run, in %s\n", s.Name, s.Count(reports.Passed), s.Count(reports.Failed),
		s.Count(reports.Unknown), s.Count(reports.Broken), s.Count(reports.NotRun), s.Took.Round(time.Second))
	fmt.Fprintln(w, filepath.Join(dir, reports.IndexFile))
	return nil
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readSuite reads a suite from a file, or one that comes with sunder.
func readSuite(name string) (*suite.Suite, error) {
	text, err := embeddedSuites.ReadFile(path.Join("suites", name+".yaml"))
	file := name + ".yaml"
	if err != nil {
		if text, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("%w; suites that come with sunder are %s", err, strings.Join(suiteNames(), ", "))
		}
		file = name
	}
	flags := newRunCommand().Flags()
	s, err := suite.Parse(file, text, suite.Rules{
		Flag: func(name, value string) error {
			if flags.Lookup(name) == nil {
				return fmt.Errorf("sunder run has no flag --%s", name)
			}
			return flags.Set(name, value)
		},
		Cell: func(c suite.Cell) error { return try(c.Args()) },
	})
	if err != nil {
		return nil, err
	}
	s.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return s, nil
}

// choose leaves the cells that are asked for.
func (f *suiteFlags) choose(cells []suite.Cell) ([]suite.Cell, error) {
	only, err := regexp.Compile(f.only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	for i := range cells {
		cells[i].Seed += f.seed
	}
	cells = slices.DeleteFunc(cells, func(c suite.Cell) bool { return !only.MatchString(c.Name()) })
	if len(cells) == 0 {
		return nil, fmt.Errorf("--only: no run matches %q", f.only)
	}
	var i, n int
	if _, err := fmt.Sscanf(f.shard+"\n", "%d/%d\n", &i, &n); err != nil || i < 1 || i > n {
		return nil, fmt.Errorf("--shard: a part is i/n with i from 1 to n, not %q", f.shard)
	}
	return suite.Shard(cells, i, n), nil
}

// runAll runs cells, a few at a time, and says how each ended as soon as it has.
func (f *suiteFlags) runAll(cmd *cobra.Command, cells []suite.Cell) ([]reports.Outcome, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	outcomes := make([]reports.Outcome, len(cells))
	started, slots := time.Now(), make(chan struct{}, f.jobs)
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i, c := range cells {
		slots <- struct{}{}
		outcomes[i] = reports.Outcome{Name: c.Name(), Class: strings.Join([]string{c.Target, c.Fleet, c.Workload, c.Nemesis}, "."), Expect: string(c.Expect), Command: f.command(c)}
		switch {
		case cmd.Context().Err() != nil:
			outcomes[i].Status, outcomes[i].Why = reports.NotRun, "the suite was interrupted"
		case f.budget > 0 && time.Since(started)+atLeast(c) > f.budget:
			outcomes[i].Status, outcomes[i].Why = reports.NotRun, "the suite's time budget is spent"
		}
		if outcomes[i].Status != "" {
			<-slots
			continue
		}
		wait.Go(func() {
			defer func() { <-slots }()
			outcomes[i] = f.runOne(cmd.Context(), program, c, outcomes[i])
			mu.Lock()
			defer mu.Unlock()
			done++
			fmt.Fprintf(cmd.ErrOrStderr(), "[%*d/%d] %-7s %5.1f s  %s%s\n", len(fmt.Sprint(len(cells))), done, len(cells), outcomes[i].Status, outcomes[i].Took.Seconds(), c.Name(), asExpected(outcomes[i]))
		})
	}
	wait.Wait()
	return outcomes, nil
}

func asExpected(o reports.Outcome) string {
	if o.Status == reports.Passed && o.Expect == string(suite.Invalid) {
		return " (invalid, as expected)"
	}
	return ""
}

// command is the command line of a cell.
func (f *suiteFlags) command(c suite.Cell) string {
	words := []string{"sunder run"}
	for _, a := range c.Args() {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// atLeast is the time that a run takes if all goes well.
func atLeast(c suite.Cell) time.Duration {
	limit, err := time.ParseDuration(c.Flags["time-limit"])
	if err != nil {
		limit = 30 * time.Second // the default of sunder run
	}
	return limit + 5*time.Second
}

// runOne runs one cell in a process of its own: whatever becomes of it, the suite goes on.
func (f *suiteFlags) runOne(ctx context.Context, program string, c suite.Cell, o reports.Outcome) reports.Outcome {
	started := time.Now()
	end, err := runChild(ctx, program, f.out, c.Args())
	o.Took, o.Dir = time.Since(started), end.dir
	if b, readErr := os.ReadFile(filepath.Join(f.out, o.Dir, reports.ResultsFile)); end.dir != "" && readErr == nil {
		if s, err := reports.ReadSummary(b); err == nil {
			o.Why, o.Command = s.Why, s.Command
		}
	}
	if err != nil {
		end.code, o.Why = exitError, err.Error()
	}
	o.Status = statusOf(end.code, c.Expect)
	switch {
	case o.Status == reports.Broken && o.Why == "":
		o.Why = end.stderr
	case o.Status == reports.Failed && end.code == exitValid:
		o.Why = "a violation was expected, and none was found"
	}
	return o
}

// ended is how a run in a process of its own ended.
type ended struct {
	code   int
	dir    string // of the run, below the directory that it was given; "" if it left none
	stderr string // the last of it
}

// runChild runs `sunder run`. Its error is that there was no such process.
func runChild(ctx context.Context, program, out string, args []string) (end ended, err error) {
	var stdout, stderr bytes.Buffer
	child := exec.CommandContext(ctx, program, append([]string{"run", "--quiet", "--out", out}, args...)...)
	child.Stdout, child.Stderr = &stdout, &tail{w: &stderr}
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) } // it heals, judges and reports
	child.WaitDelay = 2 * time.Minute
	err = child.Run()
	if last := strings.TrimSpace(stdout.String()); strings.HasSuffix(last, reports.HTMLFile) {
		end.dir = filepath.Base(filepath.Dir(last[strings.LastIndexByte(last, '\n')+1:]))
	}
	end.stderr = strings.TrimSpace(stderr.String())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		end.code, err = exit.ExitCode(), nil
	}
	return end, err
}

// statusOf measures an exit code by what was expected.
func statusOf(code int, expect suite.Expectation) reports.Status {
	switch {
	case code == exitInvalid && expect == suite.Invalid, code == exitValid && expect == suite.Valid:
		return reports.Passed
	case code == exitInvalid || code == exitValid:
		return reports.Failed
	case code == exitUnknown:
		return reports.Unknown
	case code == exitInterrupted:
		return reports.NotRun
	default:
		return reports.Broken
	}
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
