package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
)

func newShrinkCommand() *cobra.Command {
	var tries, need int
	var out string
	cmd := &cobra.Command{
		Use:   "shrink DIR",
		Short: "Find a smaller run that is invalid too",
		Long: `Take an invalid run and run it again with fewer faults, nodes, clients and keys, and less time, one change
after the other; keep what is still invalid in enough of the tries. What it ends with is the command of the
smallest run that was found, and how often that failed: the seed decides calls and faults, but not how they
interleave, so that a smaller run is a likelihood and no proof.`,
		Example: `  sunder shrink runs/latest
  sunder shrink runs/latest --tries 5 --need 2`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if need < 1 || need > tries {
				return usage(cmd, fmt.Errorf("--need: from 1 to --tries, which is %d", tries))
			}
			h, _, err := open(args[0], formatSunder, cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			test, ok := h.Test()
			if !ok {
				return usage(cmd, fmt.Errorf("%s is of no run: it does not say how to run it again", args[0]))
			}
			results, err := checkers.Run(cmd.Context(), h, checkers.ForHistory(h), checkers.Defaults)
			if err != nil {
				return err
			}
			if v := checkers.Worst(results); v != checkers.Invalid {
				return usage(cmd, fmt.Errorf("%s is %s; only what is invalid can be shrunk", args[0], v))
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join("runs", "shrink-"+time.Now().UTC().Format("20060102T150405"))
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return usage(cmd, err)
			}
			s := shrinker{tries: tries, need: need, out: out, program: program, say: func(format string, args ...any) {
				fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
			}}
			smallest, failed, err := s.shrink(cmd.Context(), changed(test.Options))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", commandOf(smallest))
			if failed == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "nothing smaller failed in %d of %d tries: this is the run itself\n", need, tries)
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "failed in %d of %d tries; their reports are in %s\n", failed, tries, filepath.Join(out, reports.IndexFile))
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&tries, "tries", 3, "how often a smaller run is tried")
	cmd.Flags().IntVar(&need, "need", 1, "in how many of the tries it must be invalid")
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the runs (default runs/shrink-<time>)")
	return cmd
}

// changed returns the options of a run that are not the defaults, and those that may be made smaller.
func changed(options map[string]string) map[string]string {
	flags := make(map[string]string)
	newRunCommand().Flags().VisitAll(func(f *pflag.Flag) {
		value, known := options[f.Name]
		switch {
		case !known, f.Name == "out", f.Name == "quiet", strings.HasPrefix(f.Name, "check-"):
		case value != flagValue(f), f.Name == "seed", f.Name == "nodes", f.Name == "clients", f.Name == "keys", f.Name == "time-limit", f.Name == "nemesis":
			flags[f.Name] = value
		}
	})
	if flags["clients"] == "0" { // two a node
		if n, err := strconv.Atoi(flags["nodes"]); err == nil {
			flags["clients"] = strconv.Itoa(2 * n)
		}
	}
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

// shrink returns the smallest run that it found, and how often that failed; 0 if nothing smaller did.
func (s shrinker) shrink(ctx context.Context, flags map[string]string) (smallest map[string]string, failed int, err error) {
	for again := true; again; {
		again = false
		for _, smaller := range smallerRuns(flags) {
			n := 0
			for try := 1; try <= s.tries && n+s.tries-try+1 >= s.need; try++ {
				end, err := runChild(ctx, s.program, s.out, argsOf(smaller))
				if err := ctx.Err(); err != nil {
					return nil, 0, err
				}
				switch {
				case err != nil:
					return nil, 0, err
				case end.code == exitUsage:
					try = s.tries // it is no run at all
				case end.code == exitInvalid:
					n++
				}
			}
			s.say("%d of %d invalid: %s", n, s.tries, commandOf(smaller))
			if n >= s.need {
				flags, failed, again = smaller, n, true
				break
			}
		}
	}
	return flags, failed, reports.WriteIndex(s.out)
}

// smallerRuns returns runs that are smaller by one change, the greatest changes first.
func smallerRuns(flags map[string]string) (runs []map[string]string) {
	with := func(name, value string) {
		if value != flags[name] {
			smaller := maps.Clone(flags)
			smaller[name] = value
			runs = append(runs, smaller)
		}
	}
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
