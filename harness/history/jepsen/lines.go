package jepsen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/harness/history"
)

// ReadLog reads the lines that Jepsen logs of each operation, as in `INFO  jepsen.util - 0  :invoke  :write  3`. Other
// lines are passed over. Their order is the only time that there is.
func ReadLog(r io.Reader, name string) (*history.History, error) {
	return readLines(r, name, "INFO  jepsen.util - 0  :invoke  :write  3", func(line []byte) ([]byte, bool) {
		_, rest, ours := bytes.Cut(line, []byte("jepsen.util"))
		if !ours {
			return nil, false
		}
		rest = bytes.TrimLeft(rest, " \t")
		rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte("-")), " \t")
		return rest, begins(rest)
	})
}

// ReadText reads a history.txt, which lies beside each history.edn: `0  :invoke  :write  3`, one operation a line.
func ReadText(r io.Reader, name string) (*history.History, error) {
	return readLines(r, name, "0  :invoke  :write  3", func(line []byte) ([]byte, bool) {
		line = bytes.TrimLeft(line, " \t")
		return line, len(bytes.TrimSpace(line)) > 0
	})
}

// begins reports whether a line of a log begins as one of an operation: with a process, which is a number or a
// keyword, or with any word and a kind.
func begins(line []byte) bool {
	s := &scanner{buf: line}
	process := string(s.token())
	if _, err := strconv.Atoi(process); err == nil || strings.HasPrefix(process, ":") {
		return true
	}
	return s.space() == nil && kinds[string(s.token())] != 0
}

// readLines reads operations, one a line. The function part returns that part of a line which is one, if any is.
func readLines(r io.Reader, name, example string, part func(line []byte) ([]byte, bool)) (*history.History, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: is larger than %d GiB", name, maxFile>>30)
	}
	var ops []operation
	var named processes
	pos := 0
	for line := range bytes.Lines(text) {
		rest, ours := part(line)
		pos += len(line)
		if !ours {
			continue
		}
		if rest[len(rest)-1] != '\n' {
			return nil, fmt.Errorf("%s: the line does not end, so that its value may have been cut: end it if it is whole",
				lineAt(name, text, pos-1))
		}
		s := &scanner{buf: rest}
		number, client := named.number(string(s.token()))
		if !client {
			continue
		}
		o := operation{process: number, time: -1, pos: pos - 1}
		if o.err, err = o.fromLine(s); err != nil {
			return nil, fmt.Errorf("%s: %w", lineAt(name, text, pos-1), err)
		}
		ops = append(ops, o)
	}
	if len(ops) == 0 {
		return nil, fmt.Errorf("%s: there is no line of an operation, as %s", name, example)
	}
	return build(ops, name, text)
}

// fromLine reads what follows the process. It returns the error that the line tells.
func (o *operation) fromLine(s *scanner) (note string, err error) {
	if err := s.space(); err != nil {
		return "", err
	}
	kind, known := kinds[string(s.token())]
	if err := s.space(); err != nil {
		return "", err
	}
	f := s.token()
	if !known || len(f) < 2 || f[0] != ':' {
		return "", errors.New("a process is followed by :invoke, :ok, :fail or :info, and a keyword")
	}
	o.kind, o.f = kind, string(f[1:])
	if o.value, err = s.value(nil); err != nil {
		return "", err
	}
	rest := bytes.TrimSpace(s.buf[s.pos:])
	switch {
	case kind == history.Fail || kind == history.Info:
		return string(bytes.TrimSpace(append(o.value, s.buf[s.pos:]...))), nil
	case len(rest) > 0:
		return "", fmt.Errorf("there is more after the value: %.40q", rest)
	}
	return "", nil
}
