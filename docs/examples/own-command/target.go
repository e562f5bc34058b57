package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// canCount is what targets say whose clients are counters.
const canCount harness.Capability = "counter"

// tally is the target: five methods.
type tally struct {
	program string
	flags   []string
}

func tallyEntry() harness.TargetEntry {
	return harness.TargetEntry{
		About: "a replicated counter", Installed: true,
		New: func(*flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			return func(c harness.TargetConfig) (harness.Target, error) {
				program, err := os.Executable()
				return &tally{program, c.Arguments("--")}, err
			}
		},
	}
}

// Ports implements [harness.Target].
func (t *tally) Ports() []string { return []string{"peer", "client"} }

// Can implements [harness.Target].
func (t *tally) Can() []harness.Capability { return []harness.Capability{canCount} }

// Spec implements [harness.Target].
func (t *tally) Spec(p harness.Placement) harness.NodeSpec {
	var own harness.Member
	var others []string
	for _, m := range p.Members {
		if m.Name == p.Node {
			own = m
		} else {
			others = append(others, m.Addr["peer"])
		}
	}
	return harness.NodeSpec{Name: p.Node, DataDir: p.DataDir, Command: append([]string{
		t.program, "member", "--peer", own.Addr["peer"], "--client", own.Addr["client"], "--peers", strings.Join(others, ","),
		"--data", p.DataDir,
	}, t.flags...)}
}

// Ready implements [harness.Target].
func (t *tally) Ready(ctx context.Context, n harness.Node) error {
	_, err := ask(ctx, "http://"+n.Addr("client")+"/sum")
	return err
}

// Dial implements [harness.Target].
func (t *tally) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return &client{"http://" + n.Addr("client"), &http.Client{Transport: &http.Transport{}}}, nil
}

// client calls one member.
type client struct {
	base string
	http *http.Client
}

// Close implements [harness.Client].
func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

func (c *client) add(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/add", nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // proof: without a connection, nothing was sent
	case err != nil:
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func (c *client) sum(ctx context.Context) (int64, error) { return ask(ctx, c.base+"/sum") }
