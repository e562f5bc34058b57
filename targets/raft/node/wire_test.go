package node

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range []core.Message{
		{Type: core.Vote, From: 1, To: 2, Term: 3, Index: 4, LogTerm: 2},
		{Type: core.Append, From: 1, To: 2, Term: 3, Index: 4, LogTerm: 2, Commit: 4, Entries: []core.Entry{{Index: 5, Term: 3}, {Index: 6, Term: 3, Data: []byte("x")}}},
		{Type: core.AppendReply, From: 2, To: 1, Term: 3, Reject: true, Index: 9, Hint: 7, LogTerm: 2},
		{Type: core.Install, From: 1, To: 2, Term: 3, Snapshot: &core.Snapshot{Index: 9, Term: 2, Data: []byte("state")}},
		{Type: core.Append, From: 1, To: core.NewID(2, 1), Entries: []core.Entry{
			{Index: 1, Term: 3, Data: []byte("x")},
			{Index: 2, Term: 3, Members: &core.Members{Voters: []core.ID{1, 3}, Learners: []core.ID{core.NewID(2, 1)}}},
		}},
		{Type: core.Install, From: 1, To: 2, Snapshot: &core.Snapshot{Index: 9, Members: core.Members{Voters: []core.ID{1, 2}}}},
		{Type: core.HeartbeatReply, From: 2, To: 1, Term: 1 << 60, Read: 17},
	} {
		got, err := decodeMessage(encodeMessage(m))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for _, m := range []core.Message{
		{Type: 0, From: 1, To: 2},
		{Type: 99, From: 1, To: 2},
		{Type: core.Install, From: 1, To: 2},
		{Type: core.Vote, From: 1, To: 2, Snapshot: &core.Snapshot{}},
		{Type: core.Append, From: 1, To: 2, Index: 0, Entries: []core.Entry{{Index: 7, Term: 1}}},
		{Type: core.Append, From: 1, To: 2, Index: 0, Entries: []core.Entry{{Index: 1, Term: 1}, {Index: 3, Term: 1}}},
	} {
		_, err := decodeMessage(encodeMessage(m))
		require.ErrorIs(t, err, errFrame, "%+v", m)
	}
}

// What a peer sends is data: no frame may make a node crash or reserve much memory.
func FuzzDecodeMessage(f *testing.F) {
	f.Add(encodeMessage(core.Message{Type: core.Append, From: 1, To: 2, Entries: []core.Entry{{Index: 1, Term: 1, Data: []byte("x")}}}))
	f.Add(encodeMessage(core.Message{Type: core.Install, From: 1, To: 2, Snapshot: &core.Snapshot{Index: 1}}))
	f.Add(encodeMessage(core.Message{Type: core.Append, From: 1, To: 2, Entries: []core.Entry{
		{Index: 1, Term: 1, Members: &core.Members{Voters: []core.ID{1}}},
	}}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := decodeMessage(frame)
		if err == nil {
			again, err := decodeMessage(encodeMessage(m))
			require.NoError(t, err)
			require.Equal(t, m, again)
		}
	})
}

func TestReadFrameRefusesHugeLengths(t *testing.T) {
	_, _, err := readFrame(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 1}))
	require.ErrorIs(t, err, errFrame)
}
