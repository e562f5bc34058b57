package cli

import (
	"flag"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/targets/redis"
)

func newRedisdCommand() *cobra.Command {
	options := flag.NewFlagSet(redis.Command, flag.ContinueOnError)
	m := redis.Options(options)
	cmd := &cobra.Command{
		Use:   redis.Command + " [flags] -- [FLAGS OF REDIS-SERVER]",
		Short: "Run a Redis server with a sentinel beside it",
		Long: `Run a Redis server with a sentinel beside it, as one member of a cluster. 'sunder run --target redis'
starts such members itself; by hand it is useful to look at one. Both programs must be on PATH.`,
		Example: `  sunder redisd --server 127.0.0.1:7001 --sentinel 127.0.0.1:8001 --servers 127.0.0.1:7001 --dir /tmp`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.Serve(cmd.Context(), args, cmd.OutOrStdout())
		},
	}
	cmd.Flags().AddGoFlagSet(options)
	return cmd
}
