package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/sunder-dev/sunder/reports/server"
)

func newServeCommand() *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:   "serve [DIR]",
		Short: "Show the runs in a directory in a browser",
		Long: `Serve a directory of runs (default runs) on loopback: the index, the reports, and what a run that is
under way has come to. For programs there are parts of histories as JSON lines, and runs as archives:

  /api/runs/RUN/events?from=12.4&to=13.1&key=r1.0   at most 10,000 events
  /api/runs/RUN/zip
  /api/live                                         server-sent events, one a second`,
		Example: `  sunder serve
  sunder serve runs/suite-20261122T010203-nightly --port 8080`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "runs"
			if len(args) > 0 {
				dir = args[0]
			}
			handler, err := server.Server{Dir: dir}.Handler()
			if err != nil {
				return usage(cmd, err)
			}
			var listen net.ListenConfig
			l, err := listen.Listen(cmd.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return usage(cmd, err)
			}
			server := &http.Server{
				Handler: handler, ReadHeaderTimeout: 10 * time.Second,
				BaseContext: func(net.Listener) context.Context { return cmd.Context() }, // streams end with us
			}
			stop := context.AfterFunc(cmd.Context(), func() { _ = server.Close() })
			defer stop()
			fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", l.Addr())
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port (default one that is free)")
	return cmd
}
