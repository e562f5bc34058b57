package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sunder-dev/sunder/harness"
)

func (a app) newCleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove the containers, networks and volumes that dead runs left, and old images of sunder",
		Long: `Remove the containers, networks and volumes of runs whose controller is gone, as after kill -9, and
images of sunder itself that this program does not use: each build of sunder makes one of its own.
Whatever belongs to a run that lives is left alone: a run holds a lock as long as it lives, however it
ends. Runs that end by themselves leave nothing, and every run in containers cleans up first.`,
		Example: `  sunder clean`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []string
			var errs []error
			each(a.Fleets, func(_ string, f harness.FleetEntry) {
				if f.Clean == nil {
					return
				}
				removed, err := f.Clean(cmd.Context())
				all, errs = append(all, removed...), append(errs, err)
			})
			err := errors.Join(errs...)
			for _, line := range all {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if err == nil && len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there is nothing to remove")
			}
			return err
		},
	}
}
