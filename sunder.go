// Package sunder is the front door: it runs a test of a cluster, judges what was recorded, and writes the report.
//
//	outcome, err := sunder.Run(ctx, harness.Test{Target: mine, TimeLimit: 20 * time.Second, Dir: dir})
//
// What a test leaves out has a default: five nodes on the local fleet, the workload register, and partitions, kills and
// pauses. A test that people run by "go test" calls [Require].
package sunder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/page"
)

// Outcome is what came of a test.
type Outcome struct {
	Verdict checkers.Verdict
	Results []checkers.Result
	Summary reports.Summary
	History *history.History
	// Dir is the run directory, and Report the page in it; empty if it could not be written.
	Dir, Report string
	// Trouble is what ended the run early; nil if nothing did.
	Trouble error
}

// Runner runs and judges tests. The zero Runner judges by sunder's own checkers.
type Runner struct {
	// Checkers are those that there are; nil are [checkers.Default].
	Checkers checkers.Registry
	// Options say how to check.
	Options checkers.Options
	// Renderers show in the report what checkers attach, by kind; nil are [page.Default].
	Renderers map[string]page.Renderer
	// Judged, if it is there, is told the outcome as soon as the verdict is found, before the report is written.
	Judged func(Outcome)
	// Warn, if it is there, is told what went wrong beside the test, and changes nothing of its outcome.
	Warn func(what string, err error)
}

// Run is that of a zero [Runner].
func Run(ctx context.Context, t harness.Test) (Outcome, error) { return Runner{}.Run(ctx, t) }

// Run makes a test, judges it, and writes its report. What the test leaves out is set as [WithDefaults] does.
//
// The outcome counts whatever the error: a run that ended early is judged by what it recorded, and a violation is one.
// The error says why the run ended early, or why its results could not be written. A test that ctx interrupts is
// healed, and judged all the same.
func (r Runner) Run(ctx context.Context, t harness.Test) (Outcome, error) {
	t, err := r.withDefaults(t)
	if err != nil {
		return Outcome{}, err
	}
	stop := func() {}
	if t.Judge == nil {
		live := r.registry().Watch(t.About.Checkers, r.Options)
		t.Judge, stop = live, live.Stop
	}
	runErr := func() error {
		defer stop() // also if something panics; the verdict is that of the whole history
		return harness.Run(ctx, &t)
	}()
	if errors.Is(runErr, harness.ErrNotBegun) {
		return Outcome{}, runErr
	}
	o, err := r.Judge(context.WithoutCancel(ctx), t.Dir, runErr)
	return o, errors.Join(runErr, err)
}

// Judge judges what was recorded in a run directory, and writes the report there. Trouble is what ended the run early,
// if anything did.
func (r Runner) Judge(ctx context.Context, dir string, trouble error) (Outcome, error) {
	o := Outcome{Dir: dir, Trouble: trouble}
	h, warning, err := history.ReadDir(dir)
	if err != nil {
		return o, err
	}
	if warning != "" {
		r.warn("the history", errors.New(warning))
	}
	o.History = h
	if o.Results, err = r.registry().Run(ctx, h, checkers.ForHistory(h), r.Options); err != nil {
		return o, err
	}
	o.Verdict = checkers.Worst(o.Results)
	run := reports.Run{Dir: dir, History: h, Results: o.Results}
	if trouble != nil && !errors.Is(trouble, context.Canceled) {
		run.Trouble = trouble.Error()
	}
	o.Summary = run.Summarize()
	if r.Judged != nil {
		r.Judged(o)
	}
	// The verdict is found. A report that cannot be written is an error all the same; other things are warnings.
	if _, err = history.Compress(filepath.Join(dir, history.File)); !errors.Is(err, fs.ErrNotExist) { // it is compressed
		r.warn("the history stays uncompressed", err)
	}
	if s, err := harness.ScheduleOf(h); err == nil {
		r.warn("the schedule", s.Write(filepath.Join(dir, history.ScheduleFile)))
	}
	// The results are written first: a picture that cannot be drawn changes no verdict.
	if err = errors.Join(run.WriteResults(), page.Write(run, r.Renderers)); err != nil {
		err = fmt.Errorf("the results cannot be written: %w", err)
	}
	if o.Verdict == checkers.Valid && trouble == nil {
		// Nodes' data is evidence only if there is something to look into.
		r.warn("nodes' data stays", os.RemoveAll(filepath.Join(dir, history.DataDir)))
	}
	if file := filepath.Join(dir, reports.HTMLFile); exists(file) {
		o.Report = file
	}
	return o, err
}

// registry are the checkers that there are.
func (r Runner) registry() checkers.Registry {
	if r.Checkers == nil {
		return checkers.Default()
	}
	return r.Checkers
}

func (r Runner) warn(what string, err error) {
	if err != nil && r.Warn != nil {
		r.Warn(what, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
