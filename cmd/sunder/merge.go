package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/reports"
)

func newMergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "merge OUT DIR...",
		Short: "Join the runs of a suite's shards into one directory",
		Long: `Copy the runs of several directories into a new one, and write its suite.json, junit.xml, summary.md and
index.html. What is missing is not forgotten: a part that was not given, or that left nothing, is an error among the
outcomes.

Exit codes: those of sunder suite.`,
		Example: `  sunder merge all shard-1 shard-2 shard-3`,
		Args:    arguments(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, dirs := args[0], args[1:]
			if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
				return usage(cmd, fmt.Errorf("%s is there already, and not empty: the first argument is a new directory", out))
			}
			parts, err := readParts(dirs)
			if err != nil {
				return usage(cmd, err)
			}
			joined, err := merge(out, parts)
			if err == nil {
				err = publish(cmd, out, joined, "text")
			}
			if verdict := verdictOf(joined); err == nil || joined.Worst() == reports.Failed {
				if err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "sunder: %v\n", err)
				}
				return verdict
			}
			return err
		},
	}
}

// part is a directory that a suite, or a part of one, left.
type part struct {
	dir   string
	suite reports.Suite
	err   error // it cannot be read
}

// readParts reads what suites left. That a directory is not there, or given twice, is an error; that a suite was killed
// before it could say anything is not, but an outcome.
func readParts(dirs []string) (parts []part, err error) {
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s: %w", dir, errors.Join(err, fs.ErrNotExist))
		}
		p := part{dir: dir}
		p.suite, p.err = reports.ReadSuite(dir)
		for _, other := range parts {
			same := p.err == nil && other.err == nil && p.suite.Name == other.suite.Name && p.suite.Started.Equal(other.suite.Started)
			if p.suite.Part > 0 && p.suite.Name == other.suite.Name && p.suite.Part == other.suite.Part || same {
				return nil, fmt.Errorf("%s and %s are the same part of %s", other.dir, dir, p.suite.Name)
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// merge copies run directories, and joins what is said of them.
func merge(out string, parts []part) (joined reports.Suite, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return joined, err
	}
	var names []string
	missing := make(map[string][]int) // parts of a suite that were not given
	for _, p := range parts {
		if p.err != nil {
			joined.Outcomes = append(joined.Outcomes, reports.Outcome{Name: p.dir, Class: "suite", Status: reports.Broken, Why: "the suite left nothing: " + p.err.Error()})
			continue
		}
		if joined.Started.IsZero() || p.suite.Started.Before(joined.Started) {
			joined.Started = p.suite.Started
		}
		joined.Took = max(joined.Took, p.suite.Took) // shards run side by side
		if !slices.Contains(names, p.suite.Name) {
			names = append(names, p.suite.Name)
			for i := range p.suite.Parts {
				missing[p.suite.Name] = append(missing[p.suite.Name], i+1)
			}
		}
		missing[p.suite.Name] = slices.DeleteFunc(missing[p.suite.Name], func(i int) bool { return i == p.suite.Part })
	}
	for _, name := range names {
		for _, i := range missing[name] {
			joined.Outcomes = append(joined.Outcomes, reports.Outcome{Name: fmt.Sprintf("part %d of %s", i, name), Class: "suite", Status: reports.Broken, Why: "it was not given: nothing is known of its runs"})
		}
	}
	joined.Name = strings.Join(names, "+")
	for _, p := range parts {
		outcomes, copyErr := copyRuns(out, p)
		joined.Outcomes = append(joined.Outcomes, outcomes...)
		err = errors.Join(err, copyErr)
	}
	return joined, err
}

// copyRuns copies the runs of a part, also those that it does not speak of, and returns its outcomes with their new
// directories.
func copyRuns(out string, p part) ([]reports.Outcome, error) {
	outcomes := slices.Clone(p.suite.Outcomes)
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return outcomes, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir, err := makeDir(filepath.Join(out, e.Name()))
		if err == nil {
			err = os.CopyFS(dir, os.DirFS(filepath.Join(p.dir, e.Name())))
		}
		if err != nil {
			return outcomes, err
		}
		for i := range outcomes {
			if outcomes[i].Dir == e.Name() {
				outcomes[i].Dir = filepath.Base(dir)
			}
		}
	}
	return outcomes, nil
}
