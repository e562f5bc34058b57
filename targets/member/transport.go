package member

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"time"
)

// envelope is a line of a connection between members, which carries messages one way: from who dialled.
type envelope struct {
	From string          `json:"from"`
	Body json.RawMessage `json:"body"`
}

// maxLine bounds what another member can make this one read.
const maxLine = 16 << 20

// greeting is what a member sends to who has dialled it, once: whoever is in between may take a connection for a member
// that is not there yet, and lose what is sent to it.
const greeting = '\n'

// accept takes the messages of other members until the listener is closed.
func (m *running) accept(l net.Listener) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wait.Go(func() {
			defer context.AfterFunc(m.ctx, func() { c.Close() })()
			defer c.Close()
			if _, err := c.Write([]byte{greeting}); err != nil {
				return
			}
			lines := bufio.NewScanner(c)
			lines.Buffer(nil, maxLine)
			for lines.Scan() {
				var e envelope
				if json.Unmarshal(lines.Bytes(), &e) != nil {
					return // it begins anew by another connection
				}
				if !m.tell(m.ctx, func() Effects { return m.core.Receive(e.From, e.Body) }) {
					return
				}
			}
		})
	}
}

// outbox sends messages to other members. What cannot be sent now is lost: protocols send again.
type outbox struct {
	ctx    context.Context
	self   string
	queues map[string]chan json.RawMessage
	peers  map[string]string
}

// outboxRoom is how many messages wait for one member at the most.
const outboxRoom = 4096

func newOutbox(ctx context.Context, c Config) *outbox {
	o := &outbox{ctx: ctx, self: c.ID, queues: map[string]chan json.RawMessage{}, peers: c.Peers}
	for name := range c.Peers {
		if name != c.ID {
			o.queues[name] = make(chan json.RawMessage, outboxRoom)
		}
	}
	return o
}

func (o *outbox) send(m Message) {
	select {
	case o.queues[m.To] <- m.Body:
	default: // nobody of that name, or it is not heard of
	}
}

// run sends until ctx ends.
func (o *outbox) run() {
	var wait sync.WaitGroup
	for name, queue := range o.queues {
		wait.Go(func() { o.carry(o.peers[name], queue) })
	}
	wait.Wait()
}

// How long a member waits for a connection, for a message to be taken, and before it dials again, and for how long it
// keeps a message for one that cannot be reached.
const (
	dialTimeout  = 200 * time.Millisecond
	keptFor      = time.Second
	writeTimeout = time.Second
	dialAgain    = 50 * time.Millisecond
)

// dial returns a connection to a member that has greeted.
func (o *outbox) dial(addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(o.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(dialTimeout)) // a socket has deadlines
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// carry sends what is queued for one member, over one connection after the other.
func (o *outbox) carry(addr string, queue chan json.RawMessage) {
	var conn net.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		var body json.RawMessage
		select {
		case <-o.ctx.Done():
			return
		case body = <-queue:
		}
		for since := time.Now(); conn == nil && time.Since(since) < keptFor; {
			var err error
			if conn, err = o.dial(addr); err == nil {
				break
			}
			conn = nil
			select {
			case <-o.ctx.Done():
				return
			case <-time.After(dialAgain):
			}
		}
		if conn == nil {
			continue // it is lost
		}
		line, err := json.Marshal(envelope{From: o.self, Body: body})
		if err == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // a socket has deadlines
			_, err = conn.Write(append(line, '\n'))
		}
		if err != nil {
			conn.Close()
			conn = nil
		}
	}
}
