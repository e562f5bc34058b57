package raft

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/raft/core"
	"github.com/sunder-dev/sunder/targets/raft/node"
)

// Node is one node of the built-in Raft, as its flags describe it.
type Node struct {
	config          node.Config
	id, peers, bugs string
}

// NodeOptions declares the flags of a node.
func NodeOptions(f *flag.FlagSet) *Node {
	n := &Node{config: node.DefaultConfig()}
	cfg := &n.config
	f.StringVar(&n.id, "id", "", "this node: n1, n2, ...")
	f.StringVar(&n.peers, "peers", "", "all nodes, as n1=host:port,n2=host:port,...; this node listens on its own")
	f.StringVar(&cfg.Client, "client", "", "where to listen for clients")
	f.StringVar(&cfg.Dir, "dir", "", "data directory")
	f.DurationVar(&cfg.Heartbeat, "heartbeat", cfg.Heartbeat, "interval of a leader's heartbeats")
	f.DurationVar(&cfg.ElectionTimeout, "election-timeout", cfg.ElectionTimeout,
		"shortest election timeout; each is drawn between it and twice as long")
	f.DurationVar(&cfg.RequestTimeout, "request-timeout", cfg.RequestTimeout, "after how long a request is given up")
	f.Uint64Var(&cfg.SnapshotEvery, "snapshot-every", cfg.SnapshotEvery, "log entries between snapshots")
	f.Uint64Var(&cfg.SnapshotKeep, "snapshot-keep", cfg.SnapshotKeep,
		"log entries kept behind a snapshot for followers that lag")
	f.IntVar(&cfg.MaxEntries, "max-entries", cfg.MaxEntries, "log entries in one message, at most")
	f.IntVar(&cfg.MaxBytes, "max-bytes", cfg.MaxBytes,
		"bytes of entries in one message, at most; one entry is sent whatever it weighs")
	f.IntVar(&cfg.SnapshotBytes, "snapshot-bytes", cfg.SnapshotBytes,
		"bytes that the log may weigh before a snapshot is taken sooner")
	f.BoolVar(&cfg.PreVote, "pre-vote", cfg.PreVote, "ask whether an election could be won before starting it")
	f.BoolVar(&cfg.CheckQuorum, "check-quorum", cfg.CheckQuorum, "step down without contact to a quorum")
	f.Uint64Var(&cfg.Seed, "seed", 0, "seed of the election timeouts")
	f.BoolVar(&cfg.Vary, "vary", false,
		"draw heartbeat, pre-vote, check-quorum, snapshots and message sizes anew at each start, from the seed")
	f.StringVar(&n.bugs, "bug", "", "planted bugs, separated by commas; see 'sunder list'")
	return n
}

// Config returns what the flags say. Its errors are about them.
func (n *Node) Config() (c node.Config, err error) {
	c = n.config
	if c.Peers, err = parsePeers(n.peers); err != nil {
		return c, err
	}
	if c.ID, err = node.ParseID(n.id); err != nil {
		return c, err
	}
	c.Bugs, err = parseBugs(n.bugs)
	return c, err
}

// Serve runs a node until ctx ends, or the controller that started it. It logs to say.
func Serve(ctx context.Context, c node.Config, say io.Writer) error {
	ctx, err := harness.Watchdog(ctx)
	if err != nil {
		return err
	}
	return node.Run(ctx, c, slog.New(slog.NewJSONHandler(say, nil)))
}

// role is the command that runs a node.
func role() *harness.Role {
	return &harness.Role{
		Name: "raftd", About: "Run one node of the built-in Raft",
		Help: `'sunder run' starts such nodes itself; by hand it is
useful to look at one. The client API is HTTP and JSON: GET, PUT and DELETE /kv/{key},
POST /kv/{key}/cas, GET /status.`,
		Example: `  sunder raftd --id n1 --peers n1=127.0.0.1:7001 --client 127.0.0.1:8001 --dir /tmp/n1
  curl -X PUT -d '{"value": "1"}' http://127.0.0.1:8001/kv/x`,
		New: func(flags *flag.FlagSet) func([]string) (harness.Serve, error) {
			n := NodeOptions(flags)
			return func([]string) (harness.Serve, error) {
				c, err := n.Config()
				return func(ctx context.Context, _, log io.Writer) error { return Serve(ctx, c, log) }, err
			}
		},
	}
}

// ServeIfNode makes the program that calls it a node, if it was started as one, and does not return then. Programs and
// tests that run the built-in Raft call it first of all, in main or in TestMain: nodes are processes of the same
// program.
func ServeIfNode() {
	if len(os.Args) < 2 || os.Args[1] != "raftd" || os.Getenv(harness.WatchdogEnv) == "" {
		return
	}
	set := flag.NewFlagSet("raftd", flag.ExitOnError)
	n := NodeOptions(set)
	_ = set.Parse(os.Args[2:]) // it exits
	c, err := n.Config()
	if err == nil {
		err = Serve(context.Background(), c, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parsePeers(list string) (map[core.ID]string, error) {
	peers := map[core.ID]string{}
	for peer := range strings.SplitSeq(list, ",") {
		name, addr, ok := strings.Cut(peer, "=")
		if !ok {
			return nil, fmt.Errorf("--peers: %q is not of the form n1=host:port", peer)
		}
		id, err := node.ParseID(name)
		if err == nil && id.Incarnation() > 0 {
			err = fmt.Errorf("%v is not the first at its place", id)
		}
		if err != nil {
			return nil, fmt.Errorf("--peers: %w", err)
		}
		peers[id] = addr
	}
	return peers, nil
}
