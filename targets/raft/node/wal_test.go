package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

func entry(index, term uint64, data string) core.Entry {
	return core.Entry{Index: index, Term: term, Data: []byte(data)}
}

// reopen opens what is stored in dir and closes it again.
func reopen(t *testing.T, dir string) core.Stored {
	t.Helper()
	w, stored, err := openWAL(dir, nil)
	require.NoError(t, err)
	require.NoError(t, w.close())
	return stored
}

func TestWALKeepsWhatWasSaved(t *testing.T) {
	dir := t.TempDir()
	w, stored, err := openWAL(dir, nil)
	require.NoError(t, err)
	require.Zero(t, stored)
	require.NoError(t, w.save(&core.HardState{Term: 1, Vote: 2}, []core.Entry{entry(1, 1, "a"), entry(2, 1, "b")}))
	require.NoError(t, w.save(&core.HardState{Term: 3, Vote: 1}, []core.Entry{entry(2, 3, "c")}))
	// Not closed: a crash does not.
	require.Equal(t, core.Stored{
		HardState: core.HardState{Term: 3, Vote: 1},
		Entries:   []core.Entry{entry(1, 1, "a"), entry(2, 3, "c")},
	}, reopen(t, dir))
	require.NoError(t, w.close())
}

// Whatever a crash leaves of the last record, what was saved before it is there, and the log
// goes on after it.
func TestWALCutsTornTails(t *testing.T) {
	dir := t.TempDir()
	w, _, err := openWAL(dir, nil)
	require.NoError(t, err)
	require.NoError(t, w.save(nil, []core.Entry{entry(1, 1, "a")}))
	path := filepath.Join(dir, walName)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, w.save(nil, []core.Entry{entry(2, 1, "b")}))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, w.close())

	flip := func(b []byte, i int) []byte { b[i] ^= 0x40; return b }
	for n := len(before); n < len(after); n++ {
		for name, torn := range map[string][]byte{
			"cut":     after[:n:n],
			"damaged": flip(append([]byte(nil), after...), n),
			"zeros":   append(after[:n:n], make([]byte, len(after)-n)...),
		} {
			require.NoError(t, os.WriteFile(path, torn, 0o644))
			w, stored, err := openWAL(dir, nil)
			require.NoError(t, err, "%s at %d", name, n)
			require.Equal(t, []core.Entry{entry(1, 1, "a")}, stored.Entries, "%s at %d", name, n)
			require.NoError(t, w.save(nil, []core.Entry{entry(2, 2, "c")}))
			require.NoError(t, w.close())
			require.Equal(t, []core.Entry{entry(1, 1, "a"), entry(2, 2, "c")}, reopen(t, dir).Entries, "%s at %d", name, n)
		}
	}
}

func TestWALCompacts(t *testing.T) {
	dir := t.TempDir()
	w, _, err := openWAL(dir, nil)
	require.NoError(t, err)
	hard := core.HardState{Term: 2, Vote: 1}
	log := []core.Entry{entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 2, "c")}
	require.NoError(t, w.save(&hard, log))
	snapshot := core.Snapshot{Index: 2, Term: 1, Data: []byte("state"), Members: core.Members{Voters: []core.ID{1, 2}}}
	require.NoError(t, w.compact(snapshot, hard, log[2:]))
	learns := core.Members{Voters: []core.ID{1, 2}, Learners: []core.ID{core.NewID(3, 1)}}
	after := []core.Entry{entry(4, 2, "d"), {Index: 5, Term: 2, Members: &learns}}
	require.NoError(t, w.save(nil, after))
	require.NoError(t, w.close())
	want := core.Stored{HardState: hard, Snapshot: snapshot, Entries: append([]core.Entry{entry(3, 2, "c")}, after...)}
	require.Equal(t, want, reopen(t, dir))
}

// A crash between storing the snapshot and starting the new log leaves the old log, which is
// longer than needed and not wrong.
func TestWALSurvivesACrashWhileCompacting(t *testing.T) {
	dir := t.TempDir()
	w, _, err := openWAL(dir, nil)
	require.NoError(t, err)
	require.NoError(t, w.save(nil, []core.Entry{entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")}))
	require.NoError(t, w.close())
	snapshot := core.Snapshot{Index: 2, Term: 1, Data: []byte("state")}
	require.NoError(t, writeSnapshot(filepath.Join(dir, snapshotName), snapshot))
	stored := reopen(t, dir)
	require.Equal(t, snapshot, stored.Snapshot)
	require.Equal(t, []core.Entry{entry(3, 1, "c")}, stored.Entries)
}

// The same crash, where a new leader had replaced what the log held beyond the snapshot: the
// replaced entries must not come back from behind it.
func TestWALDoesNotResurrectReplacedEntries(t *testing.T) {
	dir := t.TempDir()
	w, _, err := openWAL(dir, nil)
	require.NoError(t, err)
	require.NoError(t, w.save(nil, []core.Entry{entry(1, 2, "a"), entry(2, 2, "b"), entry(3, 2, "c"), entry(4, 2, "d")}))
	require.NoError(t, w.save(nil, []core.Entry{entry(2, 3, "B")})) // drops 3 and 4
	require.NoError(t, w.close())
	require.NoError(t, writeSnapshot(filepath.Join(dir, snapshotName), core.Snapshot{Index: 2, Term: 3}))
	require.Empty(t, reopen(t, dir).Entries)
}

func TestWALRefusesDamage(t *testing.T) {
	t.Run("snapshot", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, writeSnapshot(filepath.Join(dir, snapshotName), core.Snapshot{Index: 2, Term: 1, Data: []byte("state")}))
		data, err := os.ReadFile(filepath.Join(dir, snapshotName))
		require.NoError(t, err)
		data[len(data)-1] ^= 1
		require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotName), data, 0o644))
		_, _, err = openWAL(dir, nil)
		require.ErrorContains(t, err, "checksum")
	})
	t.Run("lost snapshot", func(t *testing.T) {
		dir := t.TempDir()
		w, _, err := openWAL(dir, nil)
		require.NoError(t, err)
		require.NoError(t, w.compact(core.Snapshot{Index: 2, Term: 1}, core.HardState{}, nil))
		require.NoError(t, w.close())
		require.NoError(t, os.Remove(filepath.Join(dir, snapshotName)))
		_, _, err = openWAL(dir, nil)
		require.ErrorContains(t, err, "the log follows a snapshot at index 2")
	})
	t.Run("gap", func(t *testing.T) {
		dir := t.TempDir()
		w, _, err := openWAL(dir, nil)
		require.NoError(t, err)
		require.NoError(t, w.save(nil, []core.Entry{entry(1, 1, "a"), entry(3, 1, "c")}))
		require.NoError(t, w.close())
		_, _, err = openWAL(dir, nil)
		require.ErrorContains(t, err, "entry 3 follows entry 1")
	})
}

// The planted bug keeps everything in the process: a crash loses it.
func TestAckBeforeFsyncLosesWhatItSaved(t *testing.T) {
	dir := t.TempDir()
	w, _, err := openWAL(dir, core.Bugs{AckBeforeFsync: true})
	require.NoError(t, err)
	require.NoError(t, w.save(nil, []core.Entry{entry(1, 1, "a")}))
	require.Empty(t, reopen(t, dir).Entries)
	require.NoError(t, w.close())
}
