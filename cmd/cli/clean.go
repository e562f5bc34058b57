package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/fleet/docker"
)

func newCleanCommand() *cobra.Command {
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
			engine, err := docker.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer engine.Close()
			runs, err := engine.Clean(cmd.Context())
			for _, r := range runs {
				if r.Kept != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "kept     %s: %s\n", r.Run, r.Kept)
					continue
				}
				fmt.Fprintf(
					cmd.OutOrStdout(),
					"removed  %s: %d containers, %d networks, %d volumes\n",
					r.Run,
					r.Containers,
					r.Networks,
					r.Volumes,
				)
			}
			stale, imagesErr := engine.CleanImages(cmd.Context())
			for _, ref := range stale {
				fmt.Fprintf(cmd.OutOrStdout(), "removed  image %s, of a sunder that is not this one\n", ref)
			}
			if err == nil && imagesErr == nil && len(runs)+len(stale) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there is nothing to remove")
			}
			return errors.Join(err, imagesErr)
		},
	}
}
