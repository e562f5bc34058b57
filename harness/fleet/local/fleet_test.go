//go:build unix

package local

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/targets/raft"
)

func TestFleet(t *testing.T) {
	fleettest.Test(t, fleettest.Config{New: func() (harness.Fleet, harness.Target, error) {
		target, err := raft.New(nil)
		return New(t.TempDir(), 0), target, err
	}})
}

// quiet is a target whose nodes say nothing to each other unless they are told to: backups of a primary, say.
type quiet struct{}

func (quiet) Ports() []string           { return []string{"peer", "client"} }
func (quiet) Can() []harness.Capability { return nil }

func (quiet) Spec(p harness.Placement) harness.NodeSpec {
	var self map[string]string
	for _, m := range p.Members {
		if m.Name == p.Node {
			self = m.Addr
		}
	}
	return harness.NodeSpec{
		Name: p.Node, Command: []string{p.Program}, DataDir: p.DataDir,
		Env: []string{"FLEET_TEST_ROLE=node", "SELF=" + self["peer"], "CLIENT=" + self["client"]},
	}
}

func (quiet) Ready(ctx context.Context, n harness.Node) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", n.Addr("client"))
	if err != nil {
		return err
	}
	return c.Close()
}

func (quiet) Dial(context.Context, harness.Node) (harness.Client, error) {
	return nil, errors.ErrUnsupported
}

// Faults of links that nobody uses are seen to act: the fleet sends something over them itself, which no node gets.
func TestIdleLinksAreProbed(t *testing.T) {
	logs := map[string]*fleettest.Output{"n1": {}, "n2": {}, "n3": {}}
	c := harness.NewCluster(quiet{}, New(t.TempDir(), 0), harness.NodeNames(3), func(string) {})
	defer func() { require.NoError(t, c.Close()) }()
	require.NoError(t, c.Launch(t.Context(), 1, func(node string) io.Writer { return logs[node] }))
	require.NoError(t, c.Serving(t.Context()))
	links := append(harness.Link{From: "n1", To: "n2"}.Both(), harness.Link{From: "n3", To: "n1"})
	for evidence, i := range map[string]harness.Impairment{"dropped_bytes": {Drop: true}, "delay_ms": {Delay: 30 * time.Millisecond}} {
		in := c.NewInjection()
		require.NoError(t, in.Impair(t.Context(), i, links...))
		text, err := in.Evidence()
		require.NoError(t, err)
		var seen map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &seen))
		var of map[string]float64
		require.NoError(t, json.Unmarshal(seen[evidence], &of))
		require.Len(t, of, len(links))
		if i.Drop {
			require.Contains(t, seen, "probed", "what the fleet sent itself is told from what nodes sent")
		}
		require.NoError(t, in.Heal(t.Context()))
	}
	for node, log := range logs {
		require.NotContains(t, log.String(), "got", node)
	}
}
