package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/history/jepsen"
)

// format is the name of a kind of history file; it implements [pflag.Value].
type format string

const (
	formatAuto   format = "auto"
	formatSunder format = "sunder"
	formatJepsen format = "jepsen"
	formatLog    format = "log"
)

// formats lists the kinds of files that histories are read from.
var formats = map[format]struct {
	about string
	read  func(r io.Reader, name string) (h *history.History, warning string, err error)
}{
	formatSunder: {"JSON lines, as docs/history.md has them", history.Read},
	formatJepsen: {"Jepsen's history.edn", func(r io.Reader, name string) (*history.History, string, error) {
		h, err := jepsen.ReadEDN(r, name)
		return h, "", err
	}},
	formatLog: {"the lines that Jepsen logs", func(r io.Reader, name string) (*history.History, string, error) {
		h, err := jepsen.ReadLog(r, name)
		return h, "", err
	}},
}

func formatNames() string {
	names := []string{"auto (by its first bytes)"}
	for _, f := range slices.Sorted(maps.Keys(formats)) {
		names = append(names, fmt.Sprintf("%s (%s)", f, formats[f].about))
	}
	return strings.Join(names, ", ")
}

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "string" }

func (f *format) Set(name string) error {
	if _, ok := formats[format(name)]; !ok && format(name) != formatAuto {
		return fmt.Errorf("no such format; there are %s", formatNames())
	}
	*f = format(name)
	return nil
}

// detect says what a file is that begins in this way.
func detect(start []byte) format {
	if history.Compressed(start) {
		return formatSunder
	}
	start = bytes.TrimLeft(start, " \t\r\n")
	switch {
	case len(start) == 0 || start[0] == '{' && bytes.HasPrefix(bytes.TrimLeft(start[1:], " \t"), []byte(`"`)):
		return formatSunder
	case bytes.ContainsAny(start[:1], "{[(#;"):
		return formatJepsen
	case bytes.Contains(start, []byte("jepsen.")):
		return formatLog
	default:
		return formatSunder // which says what is wrong
	}
}

// open reads the history of a run directory, or a history file, and says in which directory it is.
func open(path string, from format, warnings io.Writer) (h *history.History, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if !info.IsDir() {
		h, err := openHistory(path, from, warnings)
		return h, filepath.Dir(path), err
	}
	for _, name := range []string{harness.HistoryFile + ".zst", harness.HistoryFile, "history.edn"} {
		h, err := openHistory(filepath.Join(path, name), from, warnings)
		if !errors.Is(err, os.ErrNotExist) {
			return h, path, err
		}
	}
	return nil, "", fmt.Errorf("%s is no run directory: it has no %s", path, harness.HistoryFile)
}

func openHistory(path string, from format, warnings io.Writer) (*history.History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if from == formatAuto {
		start, _ := r.Peek(4 << 10) // what cannot be read now cannot be read below
		from = detect(start)
	}
	h, warning, err := formats[from].read(r, path)
	if warning != "" {
		fmt.Fprintln(warnings, "warning:", warning)
	}
	return h, err
}
