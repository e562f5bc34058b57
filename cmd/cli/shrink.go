package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/shrink"
	"github.com/sunder-dev/sunder/reports"
)

// shrinkFlags are the flags of sunder shrink.
type shrinkFlags struct {
	app
	tries, need int
	out         string
}

func (a app) newShrinkCommand() *cobra.Command {
	f := shrinkFlags{app: a}
	cmd := &cobra.Command{
		Use:   "shrink DIR",
		Short: "Find a smaller run that is invalid too",
		Long: `Take an invalid run and run it again with less time, fewer faults, nodes, clients and keys, one change
after the other; keep what is still invalid in enough of the tries. What it ends with is the command of the
smallest run that was found, and how often that failed: the seed decides calls and faults, but not how they
interleave, so that a smaller run is a likelihood and no proof. Ctrl-C ends it with the smallest so far.`,
		Example: `  sunder shrink runs/latest
  sunder shrink runs/latest --tries 5 --need 2`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().IntVar(&f.tries, "tries", 3, "how often a smaller run is tried")
	cmd.Flags().IntVar(&f.need, "need", 1, "in how many of the tries it must be invalid")
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "directory for the runs (default runs/shrink-<time>)")
	return cmd
}

func (f *shrinkFlags) run(cmd *cobra.Command, dir string) error {
	if f.need < 1 || f.need > f.tries {
		return usage(cmd, fmt.Errorf("--need: from 1 to --tries, which is %d", f.tries))
	}
	h, _, err := open(dir, formatSunder, cmd.ErrOrStderr())
	if err != nil {
		return usage(cmd, err)
	}
	test, ok := h.Test()
	if !ok || len(test.Options) == 0 {
		return usage(cmd, fmt.Errorf("%s does not say how to run it again", dir))
	}
	if strings.Contains(test.Nemesis, byHandNemesis) {
		return usage(cmd, fmt.Errorf("%s was broken by hand, and nobody is there to do it again: replay it by 'sunder run "+
			"--schedule %s', and shrink that run", dir, dir))
	}
	results, err := f.Checkers.Run(cmd.Context(), h, checkers.ForHistory(h), checkers.Defaults())
	if err != nil {
		return err
	}
	if v := checkers.Worst(results); v != checkers.Invalid {
		return usage(cmd, fmt.Errorf("%s is %s; only what is invalid can be shrunk", dir, v))
	}
	s := shrink.Shrinker{Tries: f.tries, Need: f.need, Say: func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
	}}
	if s.Program, err = os.Executable(); err != nil {
		return err
	}
	s.Out = cmp.Or(f.out, filepath.Join("runs", "shrink-"+time.Now().UTC().Format("20060102T150405.000")))
	if err := os.MkdirAll(s.Out, 0o755); err != nil {
		return usage(cmd, err)
	}
	smallest, err := s.Shrink(cmd.Context(), f.changed(test.Options), shrink.TimeToViolation(h, results))
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), shrink.Command(smallest.Flags))
	if smallest.Made == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "nothing smaller failed %d of %d times: this is the run itself\n", f.need, f.tries)
	} else {
		fmt.Fprintf(
			cmd.OutOrStdout(),
			"failed in %s; their reports are in %s\n",
			smallest,
			filepath.Join(s.Out, reports.IndexFile),
		)
	}
	return err
}

// changed returns the options of a run that are not the defaults, and those that may be made smaller.
func (a app) changed(options map[string]string) map[string]string {
	flags := map[string]string{"profile": profileFixed} // what was drawn is in the options
	a.newRunCommand().Flags().VisitAll(func(f *pflag.Flag) {
		value, known := options[f.Name]
		switch {
		case f.Name == "nemesis" && options["schedule"] != "": // which has the faults
		case !known, f.Name == "out", f.Name == "profile", f.Name == "quiet", f.Name == "format", f.Name == "expect",
			strings.HasPrefix(f.Name, "check-"):
		case value != flagValue(f),
			f.Name == "seed",
			f.Name == "nodes",
			f.Name == "clients",
			f.Name == "keys",
			f.Name == "time-limit",
			f.Name == "nemesis":
			flags[f.Name] = value
		}
	})
	return flags
}
