package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/fleet"
	"github.com/sunder-dev/sunder/targets/raft/core"
	"github.com/sunder-dev/sunder/targets/raft/node"
)

func newRaftdCommand() *cobra.Command {
	cfg := node.DefaultConfig()
	var id, peers, bugs string
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
			var err error
			if cfg.Peers, err = parsePeers(peers); err != nil {
				return usage(cmd, err)
			}
			if cfg.ID, err = parseID(id); err != nil {
				return usage(cmd, err)
			}
			if cfg.Bugs, err = core.ParseBugs(bugs, node.Bugs()); err != nil {
				return usage(cmd, err)
			}
			ctx, err := watchdog(cmd.Context())
			if err != nil {
				return err
			}
			return node.Run(ctx, cfg, slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)))
		},
	}
	f := cmd.Flags()
	f.StringVar(&id, "id", "", "this node: n1, n2, ...")
	f.StringVar(&peers, "peers", "", "all nodes, as n1=host:port,n2=host:port,...; this node listens on its own")
	f.StringVar(&cfg.Client, "client", "", "where to listen for clients")
	f.StringVar(&cfg.Dir, "dir", "", "data directory")
	f.DurationVar(&cfg.Heartbeat, "heartbeat", cfg.Heartbeat, "interval of a leader's heartbeats")
	f.DurationVar(&cfg.ElectionTimeout, "election-timeout", cfg.ElectionTimeout, "shortest election timeout; each is drawn between it and twice as long")
	f.DurationVar(&cfg.RequestTimeout, "request-timeout", cfg.RequestTimeout, "after how long a request is given up")
	f.Uint64Var(&cfg.SnapshotEvery, "snapshot-every", cfg.SnapshotEvery, "log entries between snapshots")
	f.Uint64Var(&cfg.SnapshotKeep, "snapshot-keep", cfg.SnapshotKeep, "log entries kept behind a snapshot for followers that lag")
	f.IntVar(&cfg.MaxEntries, "max-entries", cfg.MaxEntries, "log entries in one message, at most")
	f.IntVar(&cfg.MaxBytes, "max-bytes", cfg.MaxBytes, "bytes of entries in one message, at most; one entry is sent whatever it weighs")
	f.IntVar(&cfg.SnapshotBytes, "snapshot-bytes", cfg.SnapshotBytes, "bytes that the log may weigh before a snapshot is taken sooner")
	f.BoolVar(&cfg.PreVote, "pre-vote", cfg.PreVote, "ask whether an election could be won before starting it")
	f.BoolVar(&cfg.CheckQuorum, "check-quorum", cfg.CheckQuorum, "step down without contact to a quorum")
	f.Uint64Var(&cfg.Seed, "seed", 0, "seed of the election timeouts")
	f.StringVar(&bugs, "bug", "", "planted bugs, separated by commas; see 'sunder list'")
	return cmd
}

func parseID(name string) (core.ID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "n"), 10, 32)
	if err != nil || n == 0 || core.ID(n).String() != name {
		return core.None, fmt.Errorf("node %q: nodes are named n1, n2 and so on", name)
	}
	return core.ID(n), nil
}

func parsePeers(list string) (map[core.ID]string, error) {
	peers := map[core.ID]string{}
	for peer := range strings.SplitSeq(list, ",") {
		name, addr, ok := strings.Cut(peer, "=")
		if !ok {
			return nil, fmt.Errorf("--peers: %q is not of the form n1=host:port", peer)
		}
		id, err := parseID(name)
		if err != nil {
			return nil, fmt.Errorf("--peers: %w", err)
		}
		peers[id] = addr
	}
	return peers, nil
}

// watchdog returns a context that ends with the controller, if a controller started us: the pipe
// that it holds ends when it does, however it does.
func watchdog(ctx context.Context) (context.Context, error) {
	number := os.Getenv(fleet.WatchdogEnv)
	if number == "" {
		return ctx, nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("%s=%q is not a number", fleet.WatchdogEnv, number)
	}
	pipe := os.NewFile(uintptr(fd), "watchdog")
	if pipe == nil {
		return nil, fmt.Errorf("%s=%d: no such descriptor", fleet.WatchdogEnv, fd)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, err := io.Copy(io.Discard, pipe)
		cancel(errors.Join(errors.New("the controller is gone"), err))
	}()
	return ctx, nil
}
