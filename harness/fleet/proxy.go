package fleet

import (
	"bytes"
	"context"
	"net"
	"sync"
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
	latency  time.Duration // of either direction
	links    *links
	listener net.Listener
	dialer   net.Dialer
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[*pipe]struct{}
	over  bool
}

// pipe is one connection through a proxy.
type pipe struct {
	down, up net.Conn              // to the dialler and to the target; up is nil while not dialled
	lost     map[harness.Link]bool // the links that swallowed a part of it, or its end
}

func newProxy(ctx context.Context, l harness.Link, target string, latency time.Duration, links *links) (*proxy, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{link: l, target: target, latency: latency, links: links, listener: listener, conns: map[*pipe]struct{}{}}
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
		p.wait.Go(func() { p.carry(c) })
	}
}

// carry connects a new connection to the target and moves bytes both ways until it ends.
func (p *proxy) carry(c *pipe) {
	defer p.end(c)
	if p.lose(c, p.link) {
		// The handshake could not have got through. The dialler sends into the void until
		// the link is mended.
		p.pump(c, c.down, nil, p.link)
		return
	}
	up, err := p.dialer.Dial("tcp", p.target)
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
	drain := func() {}
	if p.latency > 0 {
		deliver, drain = delayed(deliver, p.latency)
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			deliver(buffer[:n])
		}
		if err != nil {
			drain() // what was sent before the end arrives before it
			p.pumped(c, l)
			return
		}
	}
}

// delayed returns a function that delivers what it is given after the latency, in order, and one
// that waits until all is delivered.
func delayed(deliver func([]byte), latency time.Duration) (send func([]byte), drain func()) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024) // beyond which the sender is held up, as by a full pipe
	var wait sync.WaitGroup
	wait.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			deliver(p.data)
		}
	})
	send = func(b []byte) { pieces <- piece{time.Now().Add(latency), bytes.Clone(b)} }
	return send, func() { close(pieces); wait.Wait() }
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
	p.over = true
	for c := range p.conns {
		c.close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}
