package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// logLine is a line that a node wrote, at a time of the run.
type logLine struct {
	At   time.Duration
	Node string
	Text string
}

const (
	maxLogLines = 500 // in a report
	maxLogText  = 600 // of a line
)

// timestamp finds the time in a line: RFC 3339, wherever it stands. etcd, Consul and the built-in Raft all
// write it.
var timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)`)

// nodeLogs returns what nodes wrote within a window of the run, in the order of its time; what has no time of its
// own goes with the line before. Of too much, the middle is left out.
func nodeLogs(dir string, started time.Time, from, to time.Duration) (lines []logLine, left int) {
	files, _ := filepath.Glob(filepath.Join(dir, "logs", "*.log")) // the pattern is ours
	for _, path := range files {
		more, err := windowOf(path, started, from, to)
		if err != nil {
			more = append(more, logLine{from, nodeOf(path), "(the log could not be read: " + err.Error() + ")"})
		}
		lines = append(lines, more...)
	}
	slices.SortStableFunc(lines, func(a, b logLine) int { return cmp.Compare(a.At, b.At) })
	if left = len(lines) - maxLogLines; left > 0 {
		lines = slices.Delete(lines, maxLogLines/2, maxLogLines/2+left)
	}
	return lines, max(left, 0)
}

func nodeOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".log") }

func windowOf(path string, started time.Time, from, to time.Duration) (lines []logLine, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	at := time.Duration(-1)
	for {
		text, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // the rest of an overlong line is of no use to anybody
			text = bytes.Clone(text[:maxLogText*4])
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
		}
		if stamp := timestamp.Find(text[:min(len(text), 2000)]); stamp != nil {
			if t, err := parseStamp(string(stamp)); err == nil {
				at = t.Sub(started)
			}
		}
		if at > to {
			return lines, nil
		}
		if at >= from && len(bytes.TrimSpace(text)) > 0 && len(lines) < 10*maxLogLines {
			lines = append(lines, logLine{at, nodeOf(path), clip(strings.ToValidUTF8(string(bytes.TrimRight(text, "\r\n")), "\ufffd"), maxLogText)})
		}
		if err != nil {
			return lines, nil // the end, or a log that is still being written
		}
	}
}

func parseStamp(text string) (time.Time, error) {
	text = strings.Replace(strings.Replace(text, " ", "T", 1), ",", ".", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("no time")
}
