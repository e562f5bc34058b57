package packets

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What the kernel says of a packet is read; what it does not say, or somebody else, is nothing.
func TestParsePacket(t *testing.T) {
	header := netlink.Attribute{Type: packetHeader, Data: binary.BigEndian.AppendUint32(nil, 77)}
	whole := []netlink.Attribute{{Type: 9, Data: []byte{1}}, header, {Type: packetPayload, Data: []byte{1, 2, 3}}}
	m, err := message(messagePacket, 3, 0, whole...)
	require.NoError(t, err)
	id, size, payload, ok := parsePacket(m)
	require.True(t, ok)
	require.EqualValues(t, 77, id)
	require.Equal(t, 3, size)
	require.Equal(t, []byte{1, 2, 3}, payload)
	part, err := message(messagePacket, 3, 0, header, netlink.Attribute{Type: packetPayload, Data: []byte{1}},
		netlink.Attribute{Type: packetLength, Data: binary.BigEndian.AppendUint32(nil, 1500)})
	require.NoError(t, err)
	_, size, _, ok = parsePacket(part)
	require.True(t, ok)
	require.Equal(t, 1500, size)
	verdict, err := message(messageVerdict, 3, 0, header)
	require.NoError(t, err)
	_, _, _, ok = parsePacket(verdict)
	require.False(t, ok)
	rapid.Check(t, func(t *rapid.T) {
		m.Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		parsePacket(m) // whatever comes of it
	})
}
