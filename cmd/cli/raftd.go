package cli

import (
	"flag"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/targets/raft"
)

func newRaftdCommand() *cobra.Command {
	options := flag.NewFlagSet("raftd", flag.ContinueOnError)
	n := raft.NodeOptions(options)
	cmd := &cobra.Command{
		Use:   "raftd",
		Short: "Run one node of the built-in Raft",
		Long: `Run one node of the built-in Raft. 'sunder run' starts such nodes itself; by hand it is
useful to look at one. The client API is HTTP and JSON: GET, PUT and DELETE /kv/{key},
POST /kv/{key}/cas, GET /status.`,
		Example: `  sunder raftd --id n1 --peers n1=127.0.0.1:7001 --client 127.0.0.1:8001 --dir /tmp/n1
  curl -X PUT -d '{"value": "1"}' http://127.0.0.1:8001/kv/x`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := n.Config()
			if err != nil {
				return usage(cmd, err)
			}
			return raft.Serve(cmd.Context(), c, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().AddGoFlagSet(options)
	return cmd
}
