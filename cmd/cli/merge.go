package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/cmd/suite"
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
			parts, err := suite.ReadParts(dirs)
			if err != nil {
				return usage(cmd, err)
			}
			joined, err := suite.Merge(out, parts)
			if err != nil {
				return err
			}
			err = publish(cmd, out, joined, printedText)
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
