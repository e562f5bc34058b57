// Package shrink looks for a smaller run that is invalid too, by running smaller ones.
package shrink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/index"
)

// Command is a run with some flags, as it is typed.
func Command(flags map[string]string) string { return child.CommandLine(argsOf(flags)) }

func argsOf(flags map[string]string) (args []string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		args = append(args, "--"+name+"="+flags[name])
	}
	return args
}

// Shrinker runs smaller and smaller runs.
type Shrinker struct {
	// Tries is how often a smaller run is tried, and Need in how many of them it must be invalid.
	Tries, Need int
	// Out is the directory for the runs, and Program the sunder that runs them.
	Out, Program string
	// Say is told what became of each smaller run.
	Say func(format string, args ...any)
}

// Tried is what became of the tries of a run.
type Tried struct {
	Flags                   map[string]string
	Made, invalid, verdicts int
	trouble                 string // of the last that came to no verdict
}

// String says in how many of the tries it was invalid.
func (t Tried) String() string {
	text := fmt.Sprintf("%d of %d tries", t.invalid, t.Made)
	if broken := t.Made - t.verdicts; broken > 0 {
		text += fmt.Sprintf(" (%d came to no verdict)", broken)
	}
	return text
}

// Shrink returns the smallest run that it found, with no tries if nothing smaller failed. Interrupted, it returns the
// smallest so far. If no run at all comes to a verdict, that is an error: then nothing is known.
func (s Shrinker) Shrink(
	ctx context.Context,
	flags map[string]string,
	within time.Duration,
) (smallest Tried, err error) {
	smallest.Flags = flags
	verdicts, trouble := 0, ""
	for again := true; again; {
		again = false
		for _, smaller := range smallerRuns(smallest.Flags, within) {
			t, err := s.try(ctx, smaller)
			if err != nil {
				return smallest, err
			}
			verdicts += t.verdicts
			trouble = t.trouble
			s.Say("invalid in %s: %s", t, Command(smaller))
			if t.invalid >= s.Need {
				smallest, again, within = t, true, 0
				break
			}
		}
	}
	if verdicts == 0 && trouble != "" {
		return smallest, fmt.Errorf("no run came to a verdict, so that nothing is known: %s", trouble)
	}
	return smallest, index.Write(s.Out)
}

// try runs a run as often as it may be, unless it cannot fail often enough any more.
func (s Shrinker) try(ctx context.Context, flags map[string]string) (Tried, error) {
	t := Tried{Flags: flags}
	for t.Made < s.Tries && t.invalid+s.Tries-t.Made >= s.Need {
		end, err := child.Run(ctx, s.Program, s.Out, argsOf(flags))
		if err := ctx.Err(); err != nil {
			return t, err
		}
		t.Made++
		switch verdict, same := end.Says(); {
		case err != nil:
			t.trouble = err.Error()
		case end.Code == child.Usage: // it is no run at all
			t.trouble = end.Stderr
			return t, nil
		case !same:
			t.trouble = fmt.Sprintf("exit code %d: %s", end.Code, end.Stderr)
		default:
			t.verdicts++
			if verdict == checkers.Invalid {
				t.invalid++
			}
		}
	}
	return t, nil
}

// smallerRuns returns runs that are smaller by one change, the greatest changes first. A violation was seen within some
// time of load, if that is known.
func smallerRuns(flags map[string]string, within time.Duration) (runs []map[string]string) {
	with := func(name, value string) {
		if value != flags[name] {
			smaller := maps.Clone(flags)
			smaller[name] = value
			runs = append(runs, smaller)
		}
	}
	if within > 0 { // the evidence itself may be later, and a slower machine later still
		if limit, err := time.ParseDuration(flags["time-limit"]); err == nil && within+2*time.Second < limit {
			with("time-limit", (within + time.Second).Round(time.Second).String())
		}
	}
	nemesis, own := flags["nemesis"]
	if own {
		with("nemesis", "none")
	}
	if nemesis == "mix" {
		for _, family := range []string{"partition", "kill", "pause"} {
			with("nemesis", family)
		}
	} else {
		for _, joint := range []string{"+", ","} {
			if parts := strings.Split(nemesis, joint); len(parts) > 1 {
				for i := range parts {
					with("nemesis", strings.Join(slices.Delete(slices.Clone(parts), i, i+1), joint))
				}
			}
		}
	}
	if limit, err := time.ParseDuration(flags["time-limit"]); err == nil && limit >= 4*time.Second {
		with("time-limit", (limit / 2).Round(time.Second/10).String())
	}
	if n, err := strconv.Atoi(flags["nodes"]); err == nil && n > 3 {
		with("nodes", strconv.Itoa(max(3, n-2)))
	}
	for _, name := range []string{"clients", "keys"} {
		if n, err := strconv.Atoi(flags[name]); err == nil && n > 1 {
			with(name, strconv.Itoa(n/2))
		}
	}
	return runs
}

// TimeToViolation returns how long the load was on until the evidence of the first violation was complete; 0 if that is
// not known.
func TimeToViolation(h *history.History, results []checkers.Result) time.Duration {
	first := history.Never
	load, _ := h.Notes().Phase(history.PhaseLoad)
	for _, r := range results {
		last := time.Duration(0)
		for _, i := range r.Ops {
			last = max(last, h.Event(i).At)
		}
		if r.Verdict == checkers.Invalid && last > 0 {
			first = min(first, last)
		}
	}
	if first == history.Never {
		return 0
	}
	return max(first-load.From, 0)
}
