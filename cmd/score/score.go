// Package score runs what a score is of: each planted bug with each seed under each profile, and right systems as
// often.
package score

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports/score"
)

// Cell is a run that is to be made.
type Cell struct {
	Profile string // the name of a profile, and flags after it
	// Target and Bug say what is run; no bug is a right system.
	Target, Bug string
	HeldOut     bool
	Seed        uint64
}

// Args are the arguments of the run.
func (c Cell) Args(limit time.Duration) []string {
	words := strings.Fields(c.Profile)
	args := append([]string{
		"--fail-fast", "--target", c.Target, "--time-limit", limit.String(), "--seed", fmt.Sprint(c.Seed), "--profile", words[0],
	}, words[1:]...)
	if c.Bug != "" {
		args = append(args, "--bug", c.Bug)
	}
	return args
}

// Plan returns the runs of a score, so that those before any moment are of all bugs and profiles alike: the runs that
// are compared lie side by side.
func Plan(profiles []string, bugs []Cell, rights int, target string, first uint64, seeds int) (cells []Cell) {
	right := 0
	for i := range seeds {
		seed := first + uint64(i)
		for j, b := range bugs {
			for _, p := range profiles {
				b.Profile, b.Seed = p, seed
				cells = append(cells, b)
			}
			// Right systems come in between, evenly, each with a seed of its own.
			for due := rights * (i*len(bugs) + j + 1) / (seeds * len(bugs)); right < due; right++ {
				cells = appendRight(cells, profiles, target, first+uint64(right))
			}
		}
	}
	for ; right < rights; right++ {
		cells = appendRight(cells, profiles, target, first+uint64(right))
	}
	return cells
}

func appendRight(cells []Cell, profiles []string, target string, seed uint64) []Cell {
	for _, p := range profiles {
		cells = append(cells, Cell{Profile: p, Target: target, Seed: seed})
	}
	return cells
}

// Runner makes the runs of a score, one after the other: two at a time would starve each other.
type Runner struct {
	// Program is the sunder that runs them, and Out the directory of the score.
	Program, Out string
	Limit        time.Duration
	// Budget is after how long no run is begun any more; 0 is no limit.
	Budget time.Duration
	// Ended is told of each run.
	Ended func(done, of int, r score.Run)
}

// slack is how much longer than its load a run may take, and usualSlack how much longer it usually does.
const (
	slack      = 4 * time.Minute
	usualSlack = 20 * time.Second
)

// Run makes the runs that the score does not have yet, and saves it after each.
func (r Runner) Run(ctx context.Context, cells []Cell, s *score.Score) error {
	began := time.Now()
	s.Runs = slices.DeleteFunc(s.Runs, func(run score.Run) bool { return run.Status == score.Broken }) // once more
	for i, c := range cells {
		if s.Has(c.Profile, c.Bug, c.Seed) {
			continue
		}
		if ctx.Err() != nil || r.Budget > 0 && time.Since(began)+r.Limit+usualSlack > r.Budget {
			break
		}
		run := r.run(ctx, c)
		if ctx.Err() != nil && run.Status != score.Alarm && run.Status != score.Found {
			break // it was cut short
		}
		s.Runs = append(s.Runs, run)
		if err := s.Save(r.Out); err != nil {
			return err
		}
		r.Ended(i+1, len(cells), run)
	}
	return ctx.Err()
}

func (r Runner) run(ctx context.Context, c Cell) score.Run {
	limited, stop := context.WithTimeout(ctx, r.Limit+slack)
	defer stop()
	run := score.Run{
		Profile: c.Profile, Bug: c.Bug, HeldOut: c.HeldOut, Seed: c.Seed, Status: score.Broken,
		Command: child.CommandLine(c.Args(r.Limit)),
	}
	end, err := child.Run(limited, r.Program, r.Out, c.Args(r.Limit))
	run.CPU, run.Dir = end.CPU, end.Dir
	verdict, ok := end.Says()
	switch {
	case err != nil:
		run.Why = err.Error()
		return run
	case !ok:
		run.Why = fmt.Sprintf("exit code %d: %s", end.Code, end.Stderr)
		return run
	}
	of := end.Summary
	run.Why, run.Rate, run.After, run.Reached = of.Why, of.Rate, r.Limit, of.Coverage.Reached()
	switch {
	case verdict == checkers.Invalid && c.Bug == "":
		run.Status = score.Alarm
	case verdict == checkers.Invalid:
		run.Status = score.Found
	case verdict == checkers.Valid:
		run.Status = score.Passed
	case of.Missed:
		run.Status = score.Missed
	default:
		run.Status = score.Unsure
	}
	if of.Found != nil {
		// What shows only once the load is over is found at the end of it: runs that missed it have looked no longer.
		run.After, run.Checker = min(of.Found.After, r.Limit), of.Found.Checker
	}
	if run.Status == score.Found || run.Status == score.Missed || run.Status == score.Passed { // the others are looked at
		_ = os.RemoveAll(filepath.Join(r.Out, end.Dir)) // if it stays, it does no harm
		run.Dir = ""
	}
	return run
}
