package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

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
	formatText   format = "text"
	formatJSON   format = "json"
)

// formats lists the kinds of files that histories are read from.
var formats = map[format]struct {
	about string
	read  func(r io.Reader, name string) (h *history.History, warning string, err error)
}{
	formatSunder: {"JSON lines, as docs/history.md has them", history.Read},
	formatJepsen: {"Jepsen's history.edn", unwarned(jepsen.ReadEDN)},
	formatLog:    {"the lines that Jepsen logs", unwarned(jepsen.ReadLog)},
	formatText:   {"Jepsen's history.txt", unwarned(jepsen.ReadText)},
	formatJSON:   {"one JSON array of operations", unwarned(jepsen.ReadJSON)},
}

// unwarned is a reader that has nothing to warn of.
func unwarned(
	read func(io.Reader, string) (*history.History, error),
) func(io.Reader, string) (*history.History, string, error) {
	return func(r io.Reader, name string) (*history.History, string, error) {
		h, err := read(r, name)
		return h, "", err
	}
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
	start = bytes.TrimLeft(start, " \t\r\n")
	switch {
	case jsonArray.Match(start):
		return formatJSON
	case operationLine.Match(start):
		return formatText
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

// How a JSON array of objects, and a line of history.txt, begin.
var (
	jsonArray     = regexp.MustCompile(`^\[\s*(\{\s*"|\])`)
	operationLine = regexp.MustCompile(`^\S+\s+:(invoke|ok|fail|info)\s+:`)
)

// stdin is the name of standard input among files.
const stdin = "-"

// open reads the history of a run directory, or a history file, and says in which directory it is.
func open(path string, from format, warnings io.Writer) (h *history.History, dir string, err error) {
	if path == stdin {
		h, err := readHistory(os.Stdin, "standard input", from, warnings)
		return h, ".", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if !info.IsDir() {
		h, err := openHistory(path, from, warnings)
		return h, filepath.Dir(path), err
	}
	for _, name := range append(history.Files(), "history.edn", "history.txt") {
		h, err := openHistory(filepath.Join(path, name), from, warnings)
		if !errors.Is(err, os.ErrNotExist) {
			return h, path, err
		}
	}
	return nil, "", fmt.Errorf("%s is no run directory: it has no %s", path, history.File)
}

func openHistory(path string, from format, warnings io.Writer) (*history.History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readHistory(f, path, from, warnings)
}

// readHistory reads a history in any format, plain or compressed, with a byte order mark or without.
func readHistory(f io.Reader, name string, from format, warnings io.Writer) (*history.History, error) {
	r := bufio.NewReaderSize(f, 64<<10)
	start, _ := r.Peek(4) // what cannot be read now cannot be read below
	var inner io.Reader
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		inner = z
	case history.Compressed(start):
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		inner = z
	}
	if inner != nil {
		r = bufio.NewReaderSize(inner, 64<<10)
	}
	if mark, _ := r.Peek(3); string(mark) == "\ufeff" {
		_, _ = r.Discard(len(mark)) // they are there
	}
	if from == formatAuto {
		start, _ := r.Peek(4 << 10)
		from = detect(start)
	}
	h, warning, err := formats[from].read(r, name)
	if warning != "" {
		fmt.Fprintln(warnings, "warning:", warning)
	}
	return h, err
}
