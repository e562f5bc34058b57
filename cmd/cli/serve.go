package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/cmd/byhand"
	"github.com/sunder-dev/sunder/reports/server"
)

func newServeCommand() *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:   "serve [DIR]",
		Short: "Show the runs in a directory in a browser",
		Long: `Serve a directory of runs (default runs) on loopback: the index, the reports, and what a run that is
under way has come to. A cluster that 'sunder up' holds up is broken by clicking its links and nodes; that takes the token
that the address has, as it is printed. For programs there are parts of histories as JSON lines, and runs as archives:

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
			token := rand.Text()
			handler, err := server.Server{
				Dir: dir, Token: token,
				Hands: func(run string) server.Hands { return handsOf{byhand.Remote{Dir: filepath.Join(dir, run)}} },
			}.Handler()
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
			fmt.Fprintf(cmd.OutOrStdout(), "http://%s/#token=%s\n", l.Addr(), token)
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port (default one that is free)")
	return cmd
}

// handsOf is how the server reaches a cluster that 'sunder up' holds up.
type handsOf struct{ byhand.Remote }

// State implements [server.Hands].
func (h handsOf) State(ctx context.Context) (json.RawMessage, error) {
	s, err := h.Remote.State(ctx)
	if errors.Is(err, byhand.ErrNotUp) {
		err = fmt.Errorf("%w: %w", server.ErrNobody, err)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}
