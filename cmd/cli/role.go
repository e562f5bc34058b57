package cli

import (
	"flag"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness"
)

// newRoleCommand returns the command by which sunder is one member of a target.
func newRoleCommand(r harness.Role) *cobra.Command {
	options := flag.NewFlagSet(r.Name, flag.ContinueOnError)
	read := r.New(options)
	args := arguments(cobra.NoArgs)
	use := r.Name
	if r.Arguments != "" {
		args, use = cobra.ArbitraryArgs, use+" [flags] "+r.Arguments
	}
	cmd := &cobra.Command{
		Use: use, Short: r.About, Long: r.About + ". " + r.Help, Example: r.Example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			serve, err := read(args)
			if err != nil {
				return usage(cmd, err)
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().AddGoFlagSet(options)
	return cmd
}
