package maelstrom

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// Command is the subcommand as which a program is a bridge.
const Command = "maelstromd"

// Options declares the flags of a bridge. What they say is known once they are parsed; the arguments are the program's.
func Options(f *flag.FlagSet) (config func(arguments []string) (Config, error)) {
	var c Config
	var peers string
	f.StringVar(&c.Node, "node", "", "this node: n1, n2, ...")
	f.StringVar(&peers, "peers", "", "all nodes, as n1=host:port,n2=host:port,...; this node listens on its own")
	f.StringVar(&c.Client, "client", "", "where to listen for clients")
	return func(arguments []string) (Config, error) {
		c.Peers, c.Command = map[string]string{}, arguments
		for peer := range strings.SplitSeq(peers, ",") {
			name, addr, ok := strings.Cut(peer, "=")
			if !ok {
				return c, fmt.Errorf("--peers: %q is not of the form n1=host:port", peer)
			}
			c.Peers[name] = addr
		}
		if len(arguments) == 0 {
			return c, errors.New("the program is missing: after --")
		}
		return c, nil
	}
}

// ServeIfNode makes the program that calls it a bridge, if it was started as one, and does not return then. Tests of
// programs for Maelstrom call it first of all, in TestMain.
func ServeIfNode() {
	if len(os.Args) < 2 || os.Args[1] != Command || os.Getenv(harness.WatchdogEnv) == "" {
		return
	}
	set := flag.NewFlagSet(Command, flag.ExitOnError)
	config := Options(set)
	_ = set.Parse(os.Args[2:]) // it exits
	c, err := config(set.Args())
	if err == nil {
		err = Serve(context.Background(), c, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
