package cli

import (
	"flag"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/targets/described/maelstrom"
)

func newMaelstromdCommand() *cobra.Command {
	options := flag.NewFlagSet(maelstrom.Command, flag.ContinueOnError)
	config := maelstrom.Options(options)
	cmd := &cobra.Command{
		Use:   maelstrom.Command + " [flags] -- PROGRAM [ARGUMENTS]",
		Short: "Run a node that was written for Maelstrom",
		Long: `Run a program that was written for Maelstrom as a node of a cluster. 'sunder run' starts
such nodes itself, if a target's file says 'maelstrom: lin-kv'; by hand it is useful to look at one.
The client API is HTTP, its keys and values are JSON: GET and PUT /kv/{key}, POST /kv/{key} with
{"from": …, "to": …}, GET /ready.`,
		Example: `  sunder maelstromd --node n1 --peers n1=127.0.0.1:7001 --client 127.0.0.1:8001 -- ./node.py
  curl -X PUT -d 1 http://127.0.0.1:8001/kv/7`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config(args)
			if err != nil {
				return usage(cmd, err)
			}
			return maelstrom.Serve(cmd.Context(), c, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().AddGoFlagSet(options)
	return cmd
}
