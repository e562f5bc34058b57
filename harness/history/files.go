package history

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// The names of what is in a run directory, beside what judging it leaves.
const (
	File         = "history.jsonl" // compressed, with .zst, once the run has ended
	TestFile     = "test.json"
	ScheduleFile = "schedule.json"
	LogDir       = "logs" // one file a node
	DataDir      = "data" // nodes' own, where a fleet keeps it there
)

// Files are the names that the history of a run may have, the compressed one first: where both are there, it is whole.
func Files() []string { return []string{File + ".zst", File} }

// ReadDir reads the history of the run in a directory.
func ReadDir(dir string) (h *History, warning string, err error) {
	for _, name := range Files() {
		if h, warning, err = ReadFile(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return h, warning, err
}
