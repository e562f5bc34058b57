//go:build unix

package local

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
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

// What is on its way when a delay is healed comes at once, in order; and closing the fleet does not wait for it.
func TestAHealedDelayIsGone(t *testing.T) {
	r := newRig(t, 2, 0)
	l := harness.Link{From: "n1", To: "n2"}
	late := func(d time.Duration) {
		require.NoError(t, r.fleet.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Delay: d}}))
	}
	late(time.Hour)
	r.tell("n1", "n2", "first")
	r.tell("n1", "n2", "second")
	require.Zero(t, r.logs["n2"].Count("got first"))
	late(0)
	r.eventually(func() bool { return r.logs["n2"].Count("got second") > 0 }, "what was late has come")
	text := r.logs["n2"].String()
	require.Less(t, strings.Index(text, "got first"), strings.Index(text, "got second"))
	late(time.Hour)
	r.tell("n1", "n2", "never")
	require.NoError(t, r.fleet.Close())
	require.Zero(t, r.logs["n2"].Count("got never"))
}

// deaf is a fleet that ignores delays.
type deaf struct{ *Fleet }

func (d deaf) Shape(ctx context.Context, links map[harness.Link]harness.Impairment) error {
	for l, i := range links {
		i.Delay = 0
		links[l] = i
	}
	return d.Fleet.Shape(ctx, links)
}

// A delay that did nothing is not taken for one because links are late anyway.
func TestALateLinkIsNoDelay(t *testing.T) {
	const latency = 60 * time.Millisecond
	for fleet, confirmed := range map[harness.Fleet]bool{New(t.TempDir(), latency): true, deaf{New(t.TempDir(), latency)}: false} {
		c := harness.NewCluster(quiet{}, fleet, harness.NodeNames(3), func(string) {})
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		in := c.NewInjection()
		err := in.Impair(t.Context(), harness.Impairment{Delay: 50 * time.Millisecond}, harness.Link{From: "n1", To: "n2"})
		if confirmed {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "[n1>n2] were not seen to take 50ms longer than before")
		}
		require.NoError(t, in.Heal(t.Context()))
		require.NoError(t, c.Close())
	}
}

// A delay of a link that another fault cuts cannot be measured: it is not confirmed, whatever it does.
func TestADelayOfACutLinkIsNotConfirmed(t *testing.T) {
	c := harness.NewCluster(quiet{}, New(t.TempDir(), 0), harness.NodeNames(3), func(string) {})
	defer func() { require.NoError(t, c.Close()) }()
	require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
	l := harness.Link{From: "n1", To: "n2"}
	cut, late := c.NewInjection(), c.NewInjection()
	require.NoError(t, cut.Impair(t.Context(), harness.Impairment{Drop: true}, l))
	err := late.Impair(t.Context(), harness.Impairment{Delay: 20 * time.Millisecond}, l)
	require.ErrorContains(t, err, "not confirmed, since nothing came over these links before")
	require.NoError(t, late.Heal(t.Context()))
	require.NoError(t, cut.Heal(t.Context()))
}
