package node

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// wal is a node's stable storage: a write-ahead log of records and, beside it, one snapshot.
//
// A record is its length (4 bytes), the CRC-32C of what follows (4 bytes), its type (1 byte) and
// its content. A record that does not check is where a crash tore the last write: it was never
// synced, so nothing was promised on it, and the file is cut there.
type wal struct {
	dir     string
	file    *os.File
	buffer  *bufio.Writer
	bugs    core.Bugs
	lazy    bool // planted bug ack-before-fsync: leave it all in the buffer
	records int

	// Of planted bugs.
	saved   core.HardState
	owed    *core.HardState // not written yet
	flushed time.Time
}

const (
	recordHardState = iota + 1
	recordEntry
	recordBase   // index and term of the snapshot that the entries follow
	recordChange // an entry that changes the members, which are its data
)

const (
	walName      = "wal"
	snapshotName = "snapshot"
	recordHeader = 8
	// lazyBuffer is how much ack-before-fsync keeps in the process: more than a run writes.
	lazyBuffer = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openWAL opens or creates the storage in dir and returns what is stored there.
func openWAL(dir string, bugs core.Bugs) (*wal, core.Stored, error) {
	var stored core.Stored
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, stored, err
	}
	snapshot, err := readSnapshot(filepath.Join(dir, snapshotName))
	if err != nil {
		return nil, stored, err
	}
	stored.Snapshot = snapshot
	file, err := os.OpenFile(filepath.Join(dir, walName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, stored, err
	}
	w := &wal{dir: dir, file: file, bugs: bugs, lazy: bugs[AckBeforeFsync] || bugs[FlushLate]}
	end, err := w.replay(&stored)
	if n := len(stored.Entries); bugs[ReplayDropsLast] && n > 0 {
		stored.Entries = stored.Entries[:n-1]
	}
	w.saved = stored.HardState
	if err == nil {
		err = w.cut(end)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		file.Close()
		return nil, stored, fmt.Errorf("open %s: %w", file.Name(), err)
	}
	w.buffer = w.newBuffer()
	return w, stored, nil
}

func (w *wal) newBuffer() *bufio.Writer {
	if w.lazy {
		return bufio.NewWriterSize(w.file, lazyBuffer)
	}
	return bufio.NewWriterSize(w.file, 64<<10)
}

// replay reads all records that check into stored and returns where they end.
func (w *wal) replay(stored *core.Stored) (end int64, err error) {
	r := bufio.NewReader(w.file)
	for {
		kind, content, err := readRecord(r)
		if errors.Is(err, errTorn) || errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		if err := restore(stored, kind, content); err != nil {
			return 0, fmt.Errorf("record %d at byte %d: %w", w.records, end, err)
		}
		w.records++
		end += int64(recordHeader + 1 + len(content))
	}
}

var errTorn = errors.New("torn record")

func readRecord(r io.Reader) (kind byte, content []byte, err error) {
	var header [recordHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errTorn
		}
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length == 0 || length > maxFrame {
		return 0, nil, errTorn
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, errTorn
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(header[4:]) {
		return 0, nil, errTorn
	}
	return body[0], body[1:], nil
}

// restore applies one record. Later records replace what earlier ones said of the same index.
func restore(stored *core.Stored, kind byte, content []byte) error {
	switch kind {
	case recordHardState:
		if len(content) != 16 {
			return fmt.Errorf("hard state of %d bytes", len(content))
		}
		stored.HardState = core.HardState{
			Term: binary.BigEndian.Uint64(content),
			Vote: core.ID(binary.BigEndian.Uint64(content[8:])),
		}
	case recordBase:
		if len(content) != 16 {
			return fmt.Errorf("base of %d bytes", len(content))
		}
		if base := binary.BigEndian.Uint64(content); base > stored.Snapshot.Index {
			return fmt.Errorf("the log follows a snapshot at index %d, and the newest one is at %d", base, stored.Snapshot.Index)
		}
		stored.Entries = nil
	case recordEntry, recordChange:
		if len(content) < 16 {
			return fmt.Errorf("entry of %d bytes", len(content))
		}
		e := core.Entry{
			Index: binary.BigEndian.Uint64(content),
			Term:  binary.BigEndian.Uint64(content[8:]),
			Data:  content[16:],
		}
		if kind == recordChange {
			members, err := decodeMembers(e.Data)
			if err != nil {
				return fmt.Errorf("entry %d: %w", e.Index, err)
			}
			e.Data, e.Members = nil, &members
		}
		if e.Index <= stored.Snapshot.Index {
			// The snapshot is newer than this part of the log: a crash came between storing
			// it and starting a new log. The record still says that nothing after it was
			// there at its time, and what is dropped may have been replaced meanwhile.
			stored.Entries = nil
			return nil
		}
		place := e.Index - stored.Snapshot.Index - 1
		if place > uint64(len(stored.Entries)) {
			return fmt.Errorf("entry %d follows entry %d", e.Index, stored.Snapshot.Index+uint64(len(stored.Entries)))
		}
		stored.Entries = append(stored.Entries[:place], e)
	default:
		return fmt.Errorf("unknown record type %d", kind)
	}
	return nil
}

// cut drops what comes after end and goes on writing there.
func (w *wal) cut(end int64) error {
	if err := w.file.Truncate(end); err != nil {
		return err
	}
	if _, err := w.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	return w.file.Sync()
}

// save makes a hard state and entries durable: when it returns, they outlast a crash.
func (w *wal) save(hard *core.HardState, entries []core.Entry) error {
	if hard == nil && len(entries) == 0 {
		return nil
	}
	if w.bugs[TermAndVoteApart] {
		hard = w.apart(hard)
	}
	if hard != nil {
		w.write(recordHardState, hard.Term, uint64(hard.Vote), nil)
	}
	for _, e := range entries {
		w.writeEntry(e)
	}
	if w.lazy && (!w.bugs[FlushLate] || time.Since(w.flushed) < flushInterval) {
		return nil
	}
	w.flushed = time.Now()
	return w.sync()
}

// flushInterval is that of the planted bug flush-late.
const flushInterval = 50 * time.Millisecond

// apart returns what is to be stored of term and vote by a node that stores the vote with the next record.
func (w *wal) apart(hard *core.HardState) *core.HardState {
	if w.owed != nil {
		w.write(recordHardState, w.owed.Term, uint64(w.owed.Vote), nil)
		w.owed = nil
	}
	if hard == nil || hard.Vote == w.saved.Vote && hard.Term == w.saved.Term {
		return hard
	}
	first := *hard
	if w.owed = hard; hard.Term > w.saved.Term {
		first.Vote = core.None
	}
	w.saved = *hard
	return &first
}

func (w *wal) sync() error {
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w *wal) writeEntry(e core.Entry) {
	if e.Members != nil {
		w.write(recordChange, e.Index, e.Term, appendMembers(nil, *e.Members))
		return
	}
	w.write(recordEntry, e.Index, e.Term, e.Data)
}

// write puts a record of two numbers and data into the buffer, whose errors stick until Flush.
func (w *wal) write(kind byte, a, b uint64, data []byte) {
	body := make([]byte, recordHeader, recordHeader+17+len(data))
	body = append(body, kind)
	body = binary.BigEndian.AppendUint64(body, a)
	body = binary.BigEndian.AppendUint64(body, b)
	body = append(body, data...)
	binary.BigEndian.PutUint32(body, uint32(len(body)-recordHeader))
	binary.BigEndian.PutUint32(body[4:], crc32.Checksum(body[recordHeader:], castagnoli))
	_, _ = w.buffer.Write(body)
	w.records++
}

// compact stores s as the snapshot and starts a new log after it with the given state. A crash
// in between leaves a snapshot that is newer than the log's beginning, which replay allows.
func (w *wal) compact(s core.Snapshot, hard core.HardState, entries []core.Entry) error {
	if err := writeSnapshot(filepath.Join(w.dir, snapshotName), s); err != nil {
		return fmt.Errorf("store snapshot at index %d: %w", s.Index, err)
	}
	next, err := os.Create(filepath.Join(w.dir, walName+".tmp"))
	if err != nil {
		return err
	}
	old := w.file
	w.file, w.records = next, 0
	w.buffer = w.newBuffer()
	w.write(recordBase, s.Index, s.Term, nil)
	if !w.bugs[CompactForgetsVote] {
		w.write(recordHardState, hard.Term, uint64(hard.Vote), nil)
	}
	for _, e := range entries {
		if e.Index > s.Index {
			w.writeEntry(e)
		}
	}
	if err := w.sync(); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), filepath.Join(w.dir, walName)); err != nil {
		return err
	}
	if err := old.Close(); err != nil {
		return err
	}
	return syncDir(w.dir)
}

func (w *wal) close() error {
	return errors.Join(w.sync(), w.file.Close())
}

// readSnapshot reads the snapshot file; no file is the empty snapshot.
func readSnapshot(path string) (core.Snapshot, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return core.Snapshot{}, nil
	}
	if err != nil {
		return core.Snapshot{}, err
	}
	const head = 20
	if len(data) < head || crc32.Checksum(data[4:], castagnoli) != binary.BigEndian.Uint32(data) {
		// It was synced before it got its name: this is damage, not a torn write.
		return core.Snapshot{}, fmt.Errorf("%s: the checksum is wrong", path)
	}
	d := reader{b: data[head:]}
	s := core.Snapshot{
		Index: binary.BigEndian.Uint64(data[4:]), Term: binary.BigEndian.Uint64(data[12:]), Members: d.members(), Data: d.b,
	}
	if d.bad {
		return core.Snapshot{}, fmt.Errorf("%s: it does not say who the members are", path)
	}
	return s, nil
}

// decodeMembers reads what appendMembers wrote, and nothing else.
func decodeMembers(b []byte) (core.Members, error) {
	d := reader{b: b}
	m := d.members()
	if d.bad || len(d.b) > 0 {
		return m, errFrame
	}
	return m, nil
}

func writeSnapshot(path string, s core.Snapshot) error {
	data := make([]byte, 4, 20+len(s.Data))
	data = binary.BigEndian.AppendUint64(data, s.Index)
	data = binary.BigEndian.AppendUint64(data, s.Term)
	data = append(appendMembers(data, s.Members), s.Data...)
	binary.BigEndian.PutUint32(data, crc32.Checksum(data[4:], castagnoli))
	tmp, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
