package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// On the wire, a connection carries frames one way: from the node that dialled. A frame is its
// length (4 bytes), its kind (1 byte) and its content.
const (
	frameHello   = iota + 1 // the ID of the node that dialled, first on each connection: for captures
	framePing               // nothing: it keeps idle links warm, so that a cut link is seen to be cut
	frameMessage            // a core.Message
	frameForward            // a command for the leader to propose
)

// maxFrame bounds what a peer, or a damaged file, can make a node allocate.
const maxFrame = 256 << 20

var errFrame = errors.New("malformed frame")

func writeFrame(w io.Writer, kind byte, content []byte) error {
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(content)+1))
	head[4] = kind
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func readFrame(r io.Reader) (kind byte, content []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > maxFrame {
		return 0, nil, fmt.Errorf("%w: length %d", errFrame, length)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return body[0], body[1:], nil
}

func encodeMessage(m core.Message) []byte {
	b := []byte{byte(m.Type), 0}
	if m.Reject {
		b[1] |= 1
	}
	if m.Snapshot != nil {
		b[1] |= 2
	}
	if m.Disrupt {
		b[1] |= 4
	}
	if slices.ContainsFunc(m.Entries, func(e core.Entry) bool { return e.Members != nil }) {
		b[1] |= 8
	}
	for _, n := range []uint64{uint64(m.From), uint64(m.To), m.Term, m.Index, m.LogTerm, m.Commit, m.Hint, m.Read, uint64(len(m.Entries))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, e := range m.Entries {
		b = appendBlob(binary.AppendUvarint(binary.AppendUvarint(b, e.Index), e.Term), e.Data)
		if b[1]&8 == 0 {
			continue
		}
		b = append(b, 0)
		if e.Members != nil {
			b[len(b)-1] = 1
			b = appendMembers(b, *e.Members)
		}
	}
	if s := m.Snapshot; s != nil {
		b = appendBlob(binary.AppendUvarint(binary.AppendUvarint(b, s.Index), s.Term), s.Data)
		b = appendMembers(b, s.Members)
	}
	return b
}

// appendMembers writes the members of a cluster, in messages and on disk: the number of voters and their IDs, then the
// learners likewise.
func appendMembers(b []byte, m core.Members) []byte {
	for _, ids := range [][]core.ID{m.Voters, m.Learners} {
		b = binary.AppendUvarint(b, uint64(len(ids)))
		for _, id := range ids {
			b = binary.AppendUvarint(b, uint64(id))
		}
	}
	return b
}

func appendBlob(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func decodeMessage(b []byte) (core.Message, error) {
	if len(b) < 2 {
		return core.Message{}, errFrame
	}
	m := core.Message{Type: core.MessageType(b[0]), Reject: b[1]&1 != 0, Disrupt: b[1]&4 != 0}
	d := reader{b: b[2:]}
	m.From, m.To = core.ID(d.uvarint()), core.ID(d.uvarint())
	m.Term, m.Index, m.LogTerm, m.Commit, m.Hint, m.Read = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint()
	count := d.uvarint()
	if count > uint64(len(d.b)) { // an entry takes three bytes at least
		return core.Message{}, errFrame
	}
	for range count {
		e := core.Entry{Index: d.uvarint(), Term: d.uvarint(), Data: d.blob()}
		if b[1]&8 != 0 && d.uvarint() == 1 {
			members := d.members()
			e.Members = &members
		}
		m.Entries = append(m.Entries, e)
	}
	if b[1]&2 != 0 {
		m.Snapshot = &core.Snapshot{Index: d.uvarint(), Term: d.uvarint(), Data: d.blob(), Members: d.members()}
	}
	if d.bad || len(d.b) > 0 || !wellFormed(m) {
		return core.Message{}, errFrame
	}
	return m, nil
}

// wellFormed says whether a message is one that a core could have sent.
func wellFormed(m core.Message) bool {
	if m.Type < core.PreVote || m.Type > core.TimeoutNow || (m.Type == core.Install) != (m.Snapshot != nil) {
		return false
	}
	for i, e := range m.Entries {
		if e.Index != m.Index+1+uint64(i) {
			return false
		}
	}
	return true
}

// reader takes numbers and blobs off a frame, and remembers if it ran out.
type reader struct {
	b   []byte
	bad bool
}

func (d *reader) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *reader) members() core.Members { return core.Members{Voters: d.ids(), Learners: d.ids()} }

func (d *reader) ids() (ids []core.ID) {
	count := d.uvarint()
	if count > uint64(len(d.b)) { // each takes a byte at least
		d.bad = true
		return nil
	}
	for range count {
		ids = append(ids, core.ID(d.uvarint()))
	}
	return ids
}

func (d *reader) blob() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	data := d.b[:n:n]
	d.b = d.b[n:]
	if n == 0 {
		return nil
	}
	return data
}
