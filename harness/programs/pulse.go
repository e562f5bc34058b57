package programs

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pulseInterval is how often a build says that it goes on.
const pulseInterval = 10 * time.Second

// pulse shows that a build goes on: how many packages are compiled, and what the go command said last, now and then.
type pulse struct {
	w     io.Writer
	name  string
	began time.Time

	mu       sync.Mutex
	last     string
	packages int
	part     []byte // of a line
	quit     chan struct{}
	wait     sync.WaitGroup
}

func newPulse(w io.Writer, name string) *pulse {
	p := &pulse{w: w, name: name, began: time.Now(), quit: make(chan struct{})}
	p.wait.Go(func() {
		tick := time.NewTicker(pulseInterval)
		defer tick.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-tick.C:
				p.mu.Lock()
				fmt.Fprintf(p.w, "  %s: %4.0f s, %d packages compiled; %s\n",
					p.name, time.Since(p.began).Seconds(), p.packages, strconv.Quote(p.last))
				p.mu.Unlock()
			}
		}
	})
	return p
}

// stop ends it.
func (p *pulse) stop() { close(p.quit); p.wait.Wait() }

// Write implements [io.Writer]. A line of the go command that is no message is the name of a package that it compiles.
func (p *pulse) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = append(p.part, b...)
	for {
		line, rest, whole := bytes.Cut(p.part, []byte{'\n'})
		if !whole {
			return len(b), nil
		}
		p.part = rest
		if p.last = strings.TrimSpace(string(line)); p.last != "" && !strings.ContainsAny(p.last, " :#") {
			p.packages++
		}
	}
}
