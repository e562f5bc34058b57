package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/reports/story"
)

func (a app) newCheckCommand() *cobra.Command {
	check := checkFlags{}
	from := formatAuto
	var format printed
	var only []string
	var initial string
	cmd := &cobra.Command{
		Use:   "check DIR|FILE|-",
		Short: "Judge a recorded history again",
		Long: `Judge a recorded history again, with no cluster. The argument is a run directory or a
history file: sunder's own (docs/history.md describes it, so other tools can write one), a
history.edn or history.txt of Jepsen's, the lines that Jepsen logs, or one JSON array of operations; any of
them may be compressed by gzip or zstd, and "-" is standard input. Nothing is written.`,
		Example: `  sunder check runs/latest
  sunder check store/latest/history.edn          # what Jepsen recorded of a register
  sunder check store/latest/history.edn --initial 0   # of registers that hold 0 at first
  sunder check history.jsonl --checker linear
  sunder check history.jsonl --engine porcupine  # ... by another engine`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range only {
				if _, _, err := a.Checkers.Find(name); err != nil {
					return usage(cmd, fmt.Errorf("--checker: %w", err))
				}
			}
			h, _, err := open(args[0], from, cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			if len(only) == 0 {
				only = checkers.ForHistory(h)
			}
			o := check.options(cmd.ErrOrStderr())
			if o.Initial = json.RawMessage(initial); initial != "" && !json.Valid(o.Initial) {
				return usage(cmd, fmt.Errorf("--initial: a JSON value, such as 0 or '\"a\"', not %s", initial))
			}
			if format == printedJSON {
				return a.judgeForPrograms(cmd, h, only, o)
			}
			_, err = a.judge(cmd, h, only, o)
			return err
		},
	}
	cmd.Flags().StringSliceVar(
		&only,
		"checker",
		nil,
		"checkers to run (default those that the history asks for): "+names(a.Checkers),
	)
	cmd.Flags().StringVar(
		&initial,
		"initial",
		"",
		"what registers hold before anything is written, as JSON (default null)",
	)
	cmd.Flags().Var(&from, "input", "what the file is: "+formatNames())
	format.add(cmd.Flags())
	check.add(cmd.Flags())
	return cmd
}

func (a app) newReportCommand() *cobra.Command {
	check := checkFlags{}
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Judge a recorded run again and write its report anew",
		Long: `Judge a recorded run again, and write its report and the index beside it anew. Of a directory of runs, or of
suites, only write the index.`,
		Example: `  sunder report runs/latest
  sunder report runs                             # runs/index.html`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if hasRuns(args[0]) {
				if err := index.Write(args[0]); err != nil {
					return usage(cmd, err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(args[0], reports.IndexFile))
				return nil
			}
			h, dir, err := open(args[0], formatSunder, cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			results, verdict := a.judge(cmd, h, checkers.ForHistory(h), check.options(cmd.ErrOrStderr()))
			if results == nil || cmd.Context().Err() != nil {
				return verdict // what was found before stays
			}
			run := reports.Run{Dir: dir, History: h, Results: results, Trouble: reports.Trouble(dir)}
			if err := errors.Join(run.WriteResults(), page.Write(run, a.Renderers)); err != nil {
				return err
			}
			// The indexes tell of this verdict too, if there are any.
			if whole, err := filepath.EvalSymlinks(dir); err == nil { // it may be runs/latest
				if whole, err = filepath.Abs(whole); err == nil && exists(filepath.Join(filepath.Dir(whole), reports.IndexFile)) {
					err = writeIndexes(filepath.Dir(whole))
				}
				if err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "warning: index: %v\n", err)
				}
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(dir, reports.HTMLFile))
			return verdict
		},
	}
	check.add(cmd.Flags())
	return cmd
}

// hasRuns says whether a directory is one of runs, or of suites, and not of a run.
func hasRuns(dir string) bool {
	if slices.ContainsFunc(history.Files(), func(name string) bool { return exists(filepath.Join(dir, name)) }) {
		return false
	}
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		at := filepath.Join(dir, e.Name())
		return e.IsDir() && (exists(filepath.Join(at, reports.ResultsFile)) || exists(filepath.Join(at, reports.SuiteFile)))
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// judge runs checkers and prints what they find. The error is the verdict, if it is no pass.
func (a app) judge(
	cmd *cobra.Command,
	h *history.History,
	names []string,
	o checkers.Options,
) ([]checkers.Result, error) {
	results, err := a.Checkers.Run(cmd.Context(), h, names, o)
	if err != nil {
		return nil, err
	}
	printResults(cmd.OutOrStdout(), results)
	if text := reports.CoverageOf(h).Sentence(); text != "" {
		fmt.Fprintln(cmd.OutOrStdout(), text)
	}
	verdict := checkers.Worst(results)
	printStory(cmd.OutOrStdout(), story.Of(h, results))
	fmt.Fprintln(cmd.OutOrStdout(), summary(cmd.OutOrStdout(), h, verdict))
	if err := cmd.Context().Err(); err != nil {
		return results, err
	}
	if verdict != checkers.Valid {
		return results, verdictError(verdict)
	}
	return results, nil
}

// judgeForPrograms runs checkers and prints a document of what they find.
func (a app) judgeForPrograms(cmd *cobra.Command, h *history.History, names []string, o checkers.Options) error {
	results, err := a.Checkers.Run(cmd.Context(), h, names, o)
	if err != nil {
		return err
	}
	verdict := checkers.Worst(results)
	err = writeJSON(cmd.OutOrStdout(), struct {
		Verdict  checkers.Verdict  `json:"verdict"`
		Coverage reports.Coverage  `json:"coverage"`
		Results  []checkers.Result `json:"results"`
	}{verdict, reports.CoverageOf(h), results})
	if err = errors.Join(err, cmd.Context().Err()); err != nil || verdict == checkers.Valid {
		return err
	}
	return verdictError(verdict)
}
