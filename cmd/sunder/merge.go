package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/reports"
)

func newMergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "merge OUT DIR...",
		Short:   "Join the runs of a suite's shards into one directory",
		Long:    `Copy the runs of several directories into one, and write its suite.json, junit.xml, summary.md and index.html.`,
		Example: `  sunder merge all shard-1 shard-2 shard-3`,
		Args:    arguments(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			joined, err := merge(args[0], args[1:])
			if err != nil {
				return usage(cmd, err)
			}
			if err := publish(cmd, args[0], joined, "text"); err != nil {
				return err
			}
			return verdictOf(joined)
		},
	}
}

// merge copies run directories, and joins what is said of them.
func merge(out string, dirs []string) (joined reports.Suite, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return joined, err
	}
	var names []string
	for _, dir := range dirs {
		s, err := reports.ReadSuite(dir)
		if err != nil {
			return joined, err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return joined, err
		}
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			if err := os.CopyFS(filepath.Join(out, e.Name()), os.DirFS(filepath.Join(dir, e.Name()))); err != nil {
				return joined, err
			}
		}
		if joined.Started.IsZero() || s.Started.Before(joined.Started) {
			joined.Started = s.Started
		}
		joined.Took = max(joined.Took, s.Took) // shards run side by side
		joined.Outcomes = append(joined.Outcomes, s.Outcomes...)
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	joined.Name = strings.Join(names, "+")
	return joined, nil
}
