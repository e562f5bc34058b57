package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxNodeLog bounds what is kept of one node's log. Claims are read from all of it.
const maxNodeLog = 64 << 20

// nodeLogs are the files that nodes' output goes to.
type nodeLogs map[string]*nodeLog

func openLogs(dir string, nodes []string) (nodeLogs, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	logs := nodeLogs{}
	for _, name := range nodes {
		f, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			return nil, errors.Join(err, logs.close())
		}
		logs[name] = &nodeLog{file: f, room: maxNodeLog}
	}
	return logs, nil
}

func (l nodeLogs) close() error {
	var errs []error
	for _, log := range l {
		errs = append(errs, log.file.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close node logs: %w", err)
	}
	return nil
}

// nodeLog is a file that takes so much and no more, and knows its last lines.
type nodeLog struct {
	file *os.File
	room int

	mu   sync.Mutex
	tail []byte
}

// What is known of the end of a log.
const (
	maxTail  = 8 << 10
	maxLines = 5
	maxLine  = 400
)

// last returns the last lines that were written.
func (l *nodeLog) last() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(strings.ToValidUTF8(string(l.tail), "\ufffd")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line[:min(len(line), maxLine)])
		}
	}
	return lines[max(0, len(lines)-maxLines):]
}

func (l *nodeLog) remember(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p[max(0, len(p)-maxTail):]...)
	if extra := len(l.tail) - maxTail; extra > 0 {
		l.tail = append(l.tail[:0], l.tail[extra:]...)
	}
}

// Write implements [io.Writer]. What is too much is dropped, and the file says so.
func (l *nodeLog) Write(p []byte) (int, error) {
	l.remember(p)
	if l.room <= 0 {
		return len(p), nil
	}
	keep := p[:min(len(p), l.room)]
	if l.room -= len(keep); l.room <= 0 {
		keep = fmt.Appendf(keep[:len(keep):len(keep)], "\n(sunder keeps no more than %d bytes of a node's log)\n", maxNodeLog)
	}
	if _, err := l.file.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}
