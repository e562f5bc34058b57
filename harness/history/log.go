package history

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Log is a history that is being written. Every event is stamped and handed to the operating
// system as one line, at once: what was recorded survives the death of the controller.
//
// It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	clock func() time.Duration
	last  time.Duration
	next  int
	line  []byte
	err   error
	tell  []func(Event)
}

// NewLog returns a log that writes to w and stamps by clock, which tells the time since the
// start of the run.
func NewLog(w io.Writer, clock func() time.Duration) *Log {
	return &Log{w: w, clock: clock}
}

// Tell has f told of every event from now on, in their order, before Append returns. It must not wait for anything, nor
// append.
func (l *Log) Tell(f func(Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell = append(l.tell, f)
}

// Append stamps e, writes it and returns it with its index and time. The stamp is taken within
// the call: append an invocation before sending and a completion after receiving, and the
// recorded interval contains the real one.
func (l *Log) Append(e Event) Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last, l.clock())
	e.At, e.Index = l.last, l.next
	l.next++
	if l.err != nil {
		return e
	}
	l.line = appendEvent(l.line[:0], &e)
	if _, err := l.w.Write(l.line); err != nil {
		l.err = fmt.Errorf("write event %d: %w", e.Index, err)
	}
	for _, f := range l.tell {
		f(e)
	}
	return e
}

// Err returns the first error of writing. After it nothing more was written, and the run is void.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Compress writes the history file at path anew as path+".zst" and removes the plain one. The
// plain file is there until the compressed one is complete.
func Compress(path string) (compressed string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	compressed = path + ".zst"
	out, err := os.Create(compressed + ".tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		out.Close()
		if err != nil {
			_ = os.Remove(out.Name()) // half of it is of no use, and the plain file is there
		}
	}()
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(z, in); err != nil {
		return "", fmt.Errorf("compress %s: %w", path, err)
	}
	if err := z.Close(); err != nil {
		return "", fmt.Errorf("compress %s: %w", path, err)
	}
	if err := out.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(out.Name(), compressed); err != nil {
		return "", err
	}
	return compressed, os.Remove(path)
}
