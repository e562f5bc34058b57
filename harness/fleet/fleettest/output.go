package fleettest

import (
	"bytes"
	"strings"
	"sync"
)

// Output collects what a node prints.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns all that was printed.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Count returns how often a line was printed.
func (o *Output) Count(line string) int { return strings.Count(o.String(), line+"\n") }
