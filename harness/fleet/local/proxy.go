package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// proxy carries the connections that one node dials to another. What the dialler sends belongs
// to its link, what comes back to the link the other way; each direction asks its own link.
//
// A cut link swallows: bytes vanish, and neither an end nor a reset of the other side gets
// through, as if the cable were cut. A connection that lost bytes is useless once the link is
// mended, since what follows would not fit what came before; mending closes it, and the nodes
// dial again. A connection that lost nothing lives on.
type proxy struct {
	link     harness.Link
	target   string
	links    *links
	listener net.Listener
	dialer   net.Dialer
	wait     sync.WaitGroup

	quit  chan struct{} // closed with the proxy
	mu    sync.Mutex
	conns map[*pipe]struct{}
	over  bool
}

// pipe is one connection through a proxy.
type pipe struct {
	down, up net.Conn              // to the dialler and to the target; up is nil while not dialled
	lost     map[harness.Link]bool // the links that swallowed a part of it, or its end
}

func newProxy(ctx context.Context, l harness.Link, target string, links *links) (*proxy, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		link: l, target: target, links: links, listener: listener, conns: map[*pipe]struct{}{}, quit: make(chan struct{}),
	}
	p.dialer.Timeout = time.Second
	p.wait.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) back() harness.Link { return harness.Link{From: p.link.To, To: p.link.From} }

func (p *proxy) accept() {
	for {
		down, err := p.listener.Accept()
		if err != nil {
			return
		}
		c := &pipe{down: down, lost: map[harness.Link]bool{}}
		p.mu.Lock()
		if p.over {
			p.mu.Unlock()
			down.Close()
			return
		}
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		p.wait.Go(func() { p.carry(c, p.dial) })
	}
}

func (p *proxy) dial() (net.Conn, error) { return p.dialer.Dial("tcp", p.target) }

// carry connects a new connection to the target and moves bytes both ways until it ends.
func (p *proxy) carry(c *pipe, dial func() (net.Conn, error)) {
	defer p.end(c)
	if p.lose(c, p.link) {
		// The handshake could not have got through. The dialler sends into the void until
		// the link is mended.
		p.pump(c, c.down, nil, p.link)
		return
	}
	up, err := dial()
	if err != nil {
		return // refused: the node is down, and the dialler learns of it as it would without us
	}
	p.mu.Lock()
	c.up = up
	over := p.over
	p.mu.Unlock()
	if over {
		return
	}
	var wait sync.WaitGroup
	wait.Go(func() { p.pump(c, c.up, c.down, p.back()) })
	p.pump(c, c.down, c.up, p.link)
	wait.Wait()
}

// lose notes that a cut link swallowed something of a connection, so that mending closes it. It
// reports false if the link is not cut, or no longer.
func (p *proxy) lose(c *pipe, l harness.Link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.links.cut(l) { // asked under mu, which mend takes after the link has changed
		return false
	}
	c.lost[l] = true
	return true
}

// pump moves bytes one way until either side ends and the link lets the end through.
func (p *proxy) pump(c *pipe, from, to net.Conn, l harness.Link) {
	deliver := func(b []byte) {
		switch {
		case !p.links.pass(l, len(b)):
			if !p.lose(c, l) {
				c.close() // mended in this very moment
			}
		case to != nil:
			_, _ = to.Write(b) // if it fails, the target is gone, which its own direction notices
		}
	}
	way := &way{deliver: deliver, links: p.links, link: l, quit: p.quit}
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			way.send(buffer[:n])
		}
		if err != nil {
			way.drain() // what was sent before the end arrives before it
			p.pumped(c, l)
			return
		}
	}
}

// probe sends a byte over the link, or over the way back, the way that nodes' bytes go: through everything but their
// sockets. It returns once the byte is on its way or, if somebody is to be told how long that took, once it has arrived
// or is taken for lost.
func (p *proxy) probe(ctx context.Context, l harness.Link, arrived func(time.Duration)) error {
	ours, in := net.Pipe()
	out, sink := net.Pipe()
	c := &pipe{down: in, lost: map[harness.Link]bool{}}
	carry := func() { p.carry(c, func() (net.Conn, error) { return out, nil }) }
	if l == p.back() {
		c.down, c.up = out, in
		carry = func() { defer p.end(c); p.pump(c, in, out, l) }
	}
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return errors.New("the proxy is closed")
	}
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	p.wait.Go(carry)
	defer func() { ours.Close(); sink.Close() }()
	link, _ := p.links.now(l)
	patience := 2*(link.Delay+link.Jitter) + probeSlack
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = ours.SetDeadline(deadline) // pipes have deadlines
	_ = sink.SetDeadline(deadline)
	sent := time.Now()
	// On a narrow link it is as much as takes ten milliseconds, so that this is seen to be so.
	switch _, err := ours.Write(make([]byte, max(1, link.Rate/100))); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil // a busy machine has not come to it: it is as if it was lost
	case errors.Is(err, io.ErrClosedPipe):
		return nil // somebody mended the link meanwhile, which ends what has lost something: likewise
	case err != nil:
		return fmt.Errorf("%v: %w", l, err)
	}
	if arrived == nil {
		return nil
	}
	if _, err := sink.Read(make([]byte, 1)); err == nil {
		arrived(time.Since(sent))
	}
	return ctx.Err()
}

// probeSlack is how much longer than the link is late a probe may be on its way before it is taken for lost.
const probeSlack = 200 * time.Millisecond

// way delivers pieces of a stream in their order, each as late as its link is. What is on its way when the link is no
// longer bad comes at once: a link that was healed is as it was.
type way struct {
	deliver func([]byte)
	links   *links
	link    harness.Link
	quit    <-chan struct{} // nothing is delivered any more
	pieces  chan piece      // nil until the first is late
	under   atomic.Int64
	wait    sync.WaitGroup
}

type piece struct {
	sent, through time.Time // the latter by when a narrow link is through with it
	jitter        float64   // what part of the jitter it gets
	data          []byte
}

// send delivers a piece, now if its link is in order and nothing is on its way before it.
func (w *way) send(b []byte) {
	link, _ := w.links.now(w.link)
	if link.Delay == 0 && link.Jitter == 0 && link.Rate == 0 && w.under.Load() == 0 {
		w.deliver(b)
		return
	}
	if w.pieces == nil {
		w.pieces = make(chan piece, 1024) // beyond which the sender is held up, as by a full pipe
		w.wait.Go(func() {
			for p := range w.pieces {
				if w.due(p) {
					w.deliver(p.data)
				}
				w.under.Add(-1)
			}
		})
	}
	w.under.Add(1)
	w.pieces <- piece{sent: time.Now(), through: w.links.queue(w.link, len(b)), jitter: w.links.draw(), data: bytes.Clone(b)}
}

// due waits until a piece is to be delivered, and reports false if it is not to be any more.
func (w *way) due(p piece) bool {
	for {
		link, changed := w.links.now(w.link)
		at := p.sent
		if link.Rate > 0 {
			at = p.through
		}
		left := time.Until(at.Add(link.Delay + time.Duration(p.jitter*float64(link.Jitter))))
		if left <= 0 {
			return true
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
		case <-w.quit:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// drain waits until all is delivered. Nothing is sent after it.
func (w *way) drain() {
	if w.pieces != nil {
		close(w.pieces)
		w.wait.Wait()
	}
}

// pumped passes the end of one direction on: it closes both sides, now or when the link is mended.
func (p *proxy) pumped(c *pipe, l harness.Link) {
	if p.lose(c, l) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.close()
}

func (c *pipe) close() {
	c.down.Close()
	if c.up != nil {
		c.up.Close()
	}
}

// mend closes the connections that link l left useless, and lets ends through that it swallowed.
func (p *proxy) mend(l harness.Link) {
	if l != p.link && l != p.back() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.lost[l] {
			c.close()
		}
	}
}

func (p *proxy) end(c *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.close()
	delete(p.conns, c)
}

// close ends the proxy and everything that goes through it.
func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	if !p.over {
		close(p.quit)
	}
	p.over = true
	for c := range p.conns {
		c.close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}
