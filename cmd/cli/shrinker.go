package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports/index"
)

// changed returns the options of a run that are not the defaults, and those that may be made smaller.
func (a app) changed(options map[string]string) map[string]string {
	flags := make(map[string]string)
	a.newRunCommand().Flags().VisitAll(func(f *pflag.Flag) {
		value, known := options[f.Name]
		switch {
		case !known, f.Name == "out", f.Name == "quiet", f.Name == "format", strings.HasPrefix(f.Name, "check-"):
		case value != flagValue(f), f.Name == "seed", f.Name == "nodes", f.Name == "clients", f.Name == "keys", f.Name == "time-limit", f.Name == "nemesis":
			flags[f.Name] = value
		}
	})
	return flags
}

func commandOf(flags map[string]string) string { return commandLine(argsOf(flags)) }

func argsOf(flags map[string]string) (args []string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		args = append(args, "--"+name+"="+flags[name])
	}
	return args
}

// shrinker runs smaller and smaller runs.
type shrinker struct {
	tries, need  int
	out, program string
	say          func(format string, args ...any)
}

// tried is what became of the tries of a run.
type tried struct {
	flags                   map[string]string
	made, invalid, verdicts int
	trouble                 string // of the last that came to no verdict
}

func (t tried) String() string {
	text := fmt.Sprintf("%d of %d tries", t.invalid, t.made)
	if broken := t.made - t.verdicts; broken > 0 {
		text += fmt.Sprintf(" (%d came to no verdict)", broken)
	}
	return text
}

// shrink returns the smallest run that it found, with no tries if nothing smaller failed. Interrupted, it returns the
// smallest so far. If no run at all comes to a verdict, that is an error: then nothing is known.
func (s shrinker) shrink(ctx context.Context, flags map[string]string, within time.Duration) (smallest tried, err error) {
	smallest.flags = flags
	verdicts, trouble := 0, ""
	for again := true; again; {
		again = false
		for _, smaller := range smallerRuns(smallest.flags, within) {
			t, err := s.try(ctx, smaller)
			if err != nil {
				return smallest, err
			}
			verdicts += t.verdicts
			trouble = t.trouble
			s.say("invalid in %s: %s", t, commandOf(smaller))
			if t.invalid >= s.need {
				smallest, again, within = t, true, 0
				break
			}
		}
	}
	if verdicts == 0 && trouble != "" {
		return smallest, fmt.Errorf("no run came to a verdict, so that nothing is known: %s", trouble)
	}
	return smallest, index.Write(s.out)
}

// try runs a run as often as it may be, unless it cannot fail often enough any more.
func (s shrinker) try(ctx context.Context, flags map[string]string) (tried, error) {
	t := tried{flags: flags}
	for t.made < s.tries && t.invalid+s.tries-t.made >= s.need {
		end, err := runChild(ctx, s.program, s.out, argsOf(flags))
		if err := ctx.Err(); err != nil {
			return t, err
		}
		t.made++
		switch verdict, same := end.verdict(); {
		case err != nil:
			t.trouble = err.Error()
		case end.code == exitUsage: // it is no run at all
			t.trouble = end.stderr
			return t, nil
		case !same:
			t.trouble = fmt.Sprintf("exit code %d: %s", end.code, end.stderr)
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
	with("nemesis", "none")
	if nemesis := flags["nemesis"]; nemesis == "mix" {
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
