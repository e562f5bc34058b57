package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
)

func newCheckCommand() *cobra.Command {
	budget := budgetFlags{}
	var only []string
	cmd := &cobra.Command{
		Use:   "check DIR|FILE",
		Short: "Judge a recorded history again",
		Long: `Judge a recorded history again, with no cluster. The argument is a run directory or a
history file (docs/history.md describes the format, so other tools can write one).
Nothing is written.`,
		Example: `  sunder check runs/latest
  sunder check history.jsonl --checker linear`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range only {
				if _, ok := checkers.All[name]; !ok {
					return usage(cmd, fmt.Errorf("--checker: unknown checker %q; known are %s", name, names(checkers.All)))
				}
			}
			h, _, err := open(args[0], cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			if len(only) == 0 {
				only = checkers.ForHistory(h)
			}
			_, err = judge(cmd, h, only, budget.budget())
			return err
		},
	}
	cmd.Flags().StringSliceVar(&only, "checker", nil, "checkers to run (default those that the history asks for): "+names(checkers.All))
	budget.add(cmd.Flags())
	return cmd
}

func newReportCommand() *cobra.Command {
	budget := budgetFlags{}
	cmd := &cobra.Command{
		Use:     "report DIR",
		Short:   "Judge a recorded run again and write its report anew",
		Example: `  sunder report runs/latest`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, dir, err := open(args[0], cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			results, verdict := judge(cmd, h, checkers.ForHistory(h), budget.budget())
			if results == nil || cmd.Context().Err() != nil {
				return verdict // what was found before stays
			}
			if err := (reports.Run{Dir: dir, History: h, Results: results, Trouble: reports.Trouble(dir)}).Write(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(dir, reports.HTMLFile))
			return verdict
		},
	}
	budget.add(cmd.Flags())
	return cmd
}

// judge runs checkers and prints what they find. The error is the verdict, if it is no pass.
func judge(cmd *cobra.Command, h *history.History, names []string, b checkers.Budget) ([]checkers.Result, error) {
	results, err := checkers.Run(cmd.Context(), h, names, b)
	if err != nil {
		return nil, err
	}
	printResults(cmd.OutOrStdout(), results)
	verdict := checkers.Worst(results)
	fmt.Fprintln(cmd.OutOrStdout(), summary(h, verdict))
	if err := cmd.Context().Err(); err != nil {
		return results, err
	}
	if verdict != checkers.Valid {
		return results, verdictError(verdict)
	}
	return results, nil
}

// budgetFlags are the flags that bound what a check may use.
type budgetFlags struct {
	time      time.Duration
	memoryMiB uint64
}

func (f *budgetFlags) add(flags *pflag.FlagSet) {
	flags.DurationVar(&f.time, "check-timeout", checkers.DefaultBudget.Time, "time that a checker may take")
	flags.Uint64Var(&f.memoryMiB, "check-memory", checkers.DefaultBudget.Memory>>20, "memory that a checker may use, in MiB")
}

func (f *budgetFlags) budget() checkers.Budget {
	return checkers.Budget{Time: f.time, Memory: f.memoryMiB << 20}
}

// open reads the history of a run directory, or a history file, and says in which directory it is.
func open(path string, warnings io.Writer) (h *history.History, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if !info.IsDir() {
		h, err := openHistory(path, warnings)
		return h, filepath.Dir(path), err
	}
	for _, name := range []string{harness.HistoryFile + ".zst", harness.HistoryFile} {
		h, err := openHistory(filepath.Join(path, name), warnings)
		if !errors.Is(err, os.ErrNotExist) {
			return h, path, err
		}
	}
	return nil, "", fmt.Errorf("%s is no run directory: it has no %s", path, harness.HistoryFile)
}

func openHistory(path string, warnings io.Writer) (*history.History, error) {
	h, warning, err := history.ReadFile(path)
	if warning != "" {
		fmt.Fprintln(warnings, "warning:", warning)
	}
	return h, err
}
