package agent

import (
	"errors"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a firewall that only remembers.
type memory struct {
	links map[netip.Addr]harness.Impairment
	err   error
}

func (m *memory) Set(links map[netip.Addr]harness.Impairment) error {
	m.links = links
	return m.err
}

func (m *memory) Traffic() (map[netip.Addr]harness.Traffic, error) {
	return map[netip.Addr]harness.Traffic{peer: {Passed: 1, Dropped: 2}}, m.err
}

var (
	peer     = netip.MustParseAddr("127.0.0.1")
	stranger = netip.MustParseAddr("127.0.0.2")
)

// anAgent serves the API on loopback, as an agent whose only peer is itself.
func anAgent(t *testing.T) (*memory, *Client) {
	probes, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	fw := &memory{}
	c := Config{Listen: probes.LocalAddr().(*net.UDPAddr).AddrPort(), Peers: []netip.Addr{peer}, Token: "secret", Lacks: []harness.Capability{harness.LinkDelay}}
	arrived := &arrivals{}
	go arrived.read(probes)
	server := httptest.NewServer(handler(c, fw, probes, arrived))
	client := NewClient(strings.TrimPrefix(server.URL, "http://"), "secret")
	t.Cleanup(func() { client.Close(); server.Close(); probes.Close() })
	return fw, client
}

func TestTheAgent(t *testing.T) {
	fw, c := anAgent(t)
	said, err := c.Set(t.Context(), map[netip.Addr]harness.Impairment{peer: {Loss: 0.5}})
	require.NoError(t, err)
	require.Positive(t, said.InForce)
	require.Equal(t, map[netip.Addr]harness.Impairment{peer: {Loss: 0.5}}, fw.links)
	traffic, err := c.Traffic(t.Context())
	require.NoError(t, err)
	require.Equal(t, harness.Traffic{Passed: 1, Dropped: 2}, traffic[peer])
	sent, err := c.Probe(t.Context(), map[netip.Addr]uint64{peer: 17})
	require.NoError(t, err)
	var at map[uint64]int64
	require.Eventually(t, func() bool {
		at, err = c.Arrived(t.Context(), []uint64{17, 18})
		return err == nil && len(at) == 1
	}, 10*time.Second, time.Millisecond)
	require.Less(t, sent[peer], at[17])
	lacks, err := c.Lacks(t.Context())
	require.NoError(t, err)
	require.Equal(t, []harness.Capability{harness.LinkDelay}, lacks)
}

// Whoever sends more than can be remembered does not make the agent grow, and cannot move an arrival.
func TestArrivalsAreBounded(t *testing.T) {
	var a arrivals
	for n := range uint64(2 * mostArrivals) {
		a.note(n, int64(n))
		a.note(n, 7)
	}
	require.Len(t, a.at, mostArrivals)
	require.Equal(t, map[uint64]int64{mostArrivals + 1: mostArrivals + 1}, a.of([]uint64{1, mostArrivals + 1}))
}

// A message that was given up, and arrives late, undoes nothing.
func TestLateOrdersAreRefused(t *testing.T) {
	fw, c := anAgent(t)
	_, err := c.Set(t.Context(), map[netip.Addr]harness.Impairment{peer: {Drop: true}})
	require.NoError(t, err)
	_, err = c.Set(t.Context(), nil)
	require.NoError(t, err)
	c.orders.Store(0)
	_, err = c.Set(t.Context(), map[netip.Addr]harness.Impairment{peer: {Drop: true}})
	require.ErrorContains(t, err, "order 1 comes after order 2")
	require.Empty(t, fw.links)
}

func TestTheAgentRefuses(t *testing.T) {
	fw, c := anAgent(t)
	for want, links := range map[string]map[netip.Addr]harness.Impairment{
		"127.0.0.2 is no peer": {stranger: {Drop: true}},
		"from 0 to 1":          {peer: {Loss: 1.5}},
		"not below 0":          {peer: {Delay: -1}},
	} {
		_, err := c.Set(t.Context(), links)
		require.ErrorContains(t, err, want)
	}
	_, err := c.Probe(t.Context(), map[netip.Addr]uint64{stranger: 1})
	require.ErrorContains(t, err, "is no peer")
	require.Nil(t, fw.links)
	fw.err = errors.New("the kernel is cross")
	_, err = c.Set(t.Context(), nil)
	require.ErrorContains(t, err, "the kernel is cross")
	_, err = c.Traffic(t.Context())
	require.ErrorContains(t, err, "the kernel is cross")
	c.token = "guessed"
	_, err = c.Set(t.Context(), nil)
	require.ErrorContains(t, err, "401")
	_, err = c.Probe(t.Context(), nil)
	require.ErrorContains(t, err, "401")
	_, err = c.Arrived(t.Context(), nil)
	require.ErrorContains(t, err, "401")
	_, err = c.Traffic(t.Context())
	require.ErrorContains(t, err, "401")
}

func TestConfigsAreValidated(t *testing.T) {
	require.ErrorContains(t, Config{}.Validate(), "an address to listen on")
	require.ErrorContains(t, Config{}.Validate(), "needs a token")
	bad := Config{Listen: netip.MustParseAddrPort("127.0.0.1:1"), Token: "t", Peers: []netip.Addr{netip.MustParseAddr("::1")}}
	require.ErrorContains(t, bad.Validate(), "peer ::1 has no IPv4 address")
}
