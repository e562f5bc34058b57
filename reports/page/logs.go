package page

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/view"
)

// logLine is a line that a node wrote, at a time of the run.
type logLine struct {
	At   time.Duration
	Node string
	Text string
}

const (
	maxLogLines = 500    // in a report
	maxLogText  = 600    // of a line
	maxLate     = 10_000 // lines after a window before the rest of a file is left unread
)

// A line's time is RFC 3339. etcd, Consul and the built-in Raft all write it; lines that are JSON name it, and may
// have other times before it.
var (
	timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)`)
	namedTime = regexp.MustCompile(`"(?:@timestamp|ts|time)":\s*"(` + timestamp.String() + `)"`)
)

// nodeLogs returns what nodes wrote within a window of the run, in the order of its time; what has no time of its
// own goes with the line before. Of too much, the middle is left out.
func nodeLogs(dir string, started time.Time, from, to time.Duration) (lines []logLine, left int) {
	logs := filepath.Join(dir, history.LogDir)
	files, _ := os.ReadDir(logs) // there may be none
	for _, f := range files {
		node, ok := strings.CutSuffix(f.Name(), ".log")
		if !ok || !f.Type().IsRegular() {
			continue
		}
		more, skipped, err := windowOf(filepath.Join(logs, f.Name()), node, started, from, to)
		if err != nil {
			more = append(more, logLine{from, node, "(the log could not be read: " + err.Error() + ")"})
		}
		lines, left = append(lines, more...), left+skipped
	}
	slices.SortStableFunc(lines, func(a, b logLine) int { return cmp.Compare(a.At, b.At) })
	if more := len(lines) - maxLogLines; more > 0 {
		lines = slices.Delete(lines, maxLogLines/2, maxLogLines/2+more)
		left += more
	}
	return lines, left
}

// maxAnswers bounds how many answers are put between the lines of logs.
const maxAnswers = 200

// answers returns what nodes said of themselves when they were asked, within a window of the run, as far as it was
// news.
func answers(h *history.History, from, to time.Duration) (lines []logLine) {
	type said struct {
		role, leader string
		term         uint64
	}
	last := make(map[string]said)
	for _, e := range h.Notes().Statuses {
		s := e.What
		now := said{s.Role, s.Leader, s.Term}
		news := last[e.Node] != now
		last[e.Node] = now
		if !news || e.At < from || e.At > to || len(lines) == maxAnswers {
			continue
		}
		text := fmt.Sprintf("asked, it answers: %s, term %d", s.Role, s.Term)
		if s.Leader != "" {
			text += ", leader " + s.Leader
		}
		lines = append(
			lines,
			logLine{e.At, e.Node, view.Clip(text+fmt.Sprintf(", committed %d, applied %d", s.Commit, s.Applied), maxLogText)},
		)
	}
	return lines
}

// windowOf reads the first and the last lines of a window of a log.
func windowOf(path, node string, started time.Time, from, to time.Duration) (lines []logLine, skipped int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	at, late := time.Duration(-1), 0
	for late < maxLate && err == nil {
		var text []byte
		if text, err = r.ReadSlice(
			'\n',
		); errors.Is(
			err,
			bufio.ErrBufferFull,
		) { // the rest of an overlong line is of no use to anybody
			text = bytes.Clone(text[:maxLogText*4])
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
		}
		if t, ok := timeOf(text[:min(len(text), 2000)]); ok {
			at = t.Sub(started)
		}
		if at > to {
			late++ // a line may be out of order, or its time be another one
			continue
		}
		late = 0
		if at < from || len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if len(lines) == maxLogLines {
			lines = slices.Delete(lines, maxLogLines/2, maxLogLines/2+1)
			skipped++
		}
		lines = append(
			lines,
			logLine{at, node, view.Clip(strings.ToValidUTF8(string(bytes.TrimRight(text, "\r\n")), "\ufffd"), maxLogText)},
		)
	}
	return lines, skipped, nil // the end, or a log that is still being written
}

// timeOf finds the time of a line.
func timeOf(text []byte) (time.Time, bool) {
	stamp := timestamp.Find(text)
	if m := namedTime.FindSubmatch(text); m != nil {
		stamp = m[1]
	}
	words := strings.Replace(strings.Replace(string(stamp), " ", "T", 1), ",", ".", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, words); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
