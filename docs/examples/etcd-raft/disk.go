package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// disk is what survives a crash: a file of records, and what they come to in memory. The file is never shortened.
type disk struct {
	*raft.MemoryStorage
	file   *os.File
	voters raftpb.ConfState
	kept   uint64 // the index of the last snapshot
}

// record is what is stored at once.
type record struct {
	HardState raftpb.HardState
	Entries   []raftpb.Entry
	Snapshot  raftpb.Snapshot
}

// A snapshot is taken after so many entries, and so many are kept for followers that lag.
const (
	snapshotEvery = 1000
	keepEntries   = 500
)

// open reads what is stored. All nodes begin with the same snapshot, which is of an empty state and says who votes.
func open(dir string, voters []uint64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	d := &disk{MemoryStorage: raft.NewMemoryStorage(), file: file, voters: raftpb.ConfState{Voters: voters}}
	first := raftpb.SnapshotMetadata{ConfState: d.voters, Index: 1, Term: 1}
	if err := d.ApplySnapshot(raftpb.Snapshot{Metadata: first}); err != nil {
		return nil, err
	}
	whole := int64(0)
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		r, ok := parse(line)
		if !ok { // the end, or torn by a crash, so that nobody was told that it is stored
			break
		}
		if err := d.remember(r); err != nil {
			return nil, fmt.Errorf("after %d bytes: %w", whole, err)
		}
		whole += int64(len(line))
	}
	if err := file.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = file.Seek(whole, io.SeekStart)
	return d, err
}

// parse reads a line: a checksum, a space, a record.
func parse(line []byte) (r record, ok bool) {
	var sum uint32
	if len(line) < 10 || line[len(line)-1] != '\n' {
		return r, false
	}
	if _, err := fmt.Sscanf(string(line[:9]), "%08x ", &sum); err != nil || sum != crc32.ChecksumIEEE(line[9:]) {
		return r, false
	}
	return r, json.Unmarshal(line[9:], &r) == nil
}

// save stores a record, and syncs it if Raft says so.
func (d *disk) save(r record, sync bool) error {
	if raft.IsEmptyHardState(r.HardState) && len(r.Entries) == 0 && raft.IsEmptySnap(r.Snapshot) {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if _, err := fmt.Fprintf(d.file, "%08x %s", crc32.ChecksumIEEE(text), text); err != nil {
		return err
	}
	if sync || !raft.IsEmptySnap(r.Snapshot) {
		if err := d.file.Sync(); err != nil {
			return err
		}
	}
	return d.remember(r)
}

// remember keeps a record in memory.
func (d *disk) remember(r record) error {
	if !raft.IsEmptySnap(r.Snapshot) {
		d.kept = r.Snapshot.Metadata.Index
		if err := d.ApplySnapshot(r.Snapshot); err != nil && !errors.Is(err, raft.ErrSnapOutOfDate) {
			return err
		}
	}
	if !raft.IsEmptyHardState(r.HardState) {
		if err := d.SetHardState(r.HardState); err != nil {
			return err
		}
	}
	return d.Append(r.Entries)
}

// compact forgets entries that a snapshot has, in memory.
func (d *disk) compact(applied uint64, values store) error {
	if applied < d.kept+snapshotEvery {
		return nil
	}
	data, err := json.Marshal(values)
	if err != nil {
		return err
	}
	if _, err := d.CreateSnapshot(applied, &d.voters, data); err != nil {
		return err
	}
	d.kept = applied
	first, err := d.FirstIndex()
	if err != nil || applied < first+keepEntries {
		return err
	}
	return d.Compact(applied - keepEntries)
}
