package agent

import (
	"errors"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

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
	c := Config{Listen: probes.LocalAddr().(*net.UDPAddr).AddrPort(), Peers: []netip.Addr{peer}, Token: "secret"}
	server := httptest.NewServer(handler(c, fw, probes))
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
	require.NoError(t, c.Probe(t.Context(), []netip.Addr{peer}))
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
	} {
		_, err := c.Set(t.Context(), links)
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, c.Probe(t.Context(), []netip.Addr{stranger}), "is no peer")
	require.Nil(t, fw.links)
	fw.err = errors.New("the kernel is cross")
	_, err := c.Set(t.Context(), nil)
	require.ErrorContains(t, err, "the kernel is cross")
	_, err = c.Traffic(t.Context())
	require.ErrorContains(t, err, "the kernel is cross")
	c.token = "guessed"
	_, err = c.Set(t.Context(), nil)
	require.ErrorContains(t, err, "401")
	require.ErrorContains(t, c.Probe(t.Context(), nil), "401")
	_, err = c.Traffic(t.Context())
	require.ErrorContains(t, err, "401")
}

func TestConfigsAreValidated(t *testing.T) {
	require.ErrorContains(t, Config{}.Validate(), "an address to listen on")
	require.ErrorContains(t, Config{}.Validate(), "needs a token")
	bad := Config{Listen: netip.MustParseAddrPort("127.0.0.1:1"), Token: "t", Peers: []netip.Addr{netip.MustParseAddr("::1")}}
	require.ErrorContains(t, bad.Validate(), "peer ::1 has no IPv4 address")
}
