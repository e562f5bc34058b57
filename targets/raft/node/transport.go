package node

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

const (
	dialTimeout  = 500 * time.Millisecond
	redialPause  = 20 * time.Millisecond
	writeTimeout = time.Second
	pingInterval = 50 * time.Millisecond
	queueFrames  = 4096
	queueBytes   = 32 << 20
)

// transport moves frames between nodes, at most once each. What cannot be sent at once is
// dropped: the protocol copes with loss, and old messages are worth nothing.
type transport struct {
	self   core.ID
	peers  map[core.ID]*peer               // by place
	accept func(kind byte, content []byte) // called from many goroutines
	log    *slog.Logger
	wait   sync.WaitGroup
}

type frame struct {
	kind    byte
	content []byte
}

type peer struct {
	addr   string
	queue  chan frame
	queued atomic.Int64 // bytes
}

// took notes that a frame has left the queue.
func (p *peer) took(f frame) { p.queued.Add(-int64(len(f.content))) }

func newTransport(
	self core.ID,
	addrs map[core.ID]string,
	accept func(kind byte, content []byte),
	log *slog.Logger,
) *transport {
	t := &transport{self: self, peers: map[core.ID]*peer{}, accept: accept, log: log}
	for id, addr := range addrs {
		if id != self.Place() {
			t.peers[id] = &peer{addr: addr, queue: make(chan frame, queueFrames)}
		}
	}
	return t
}

// run serves until ctx ends, and returns when nothing of it is left.
func (t *transport) run(ctx context.Context, listener net.Listener) {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for _, p := range t.peers {
		t.wait.Go(func() { t.dialLoop(ctx, p) })
	}
	t.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.wait.Go(func() { t.receive(ctx, conn) })
		}
	})
	t.wait.Wait()
}

// send queues a frame for a node, or drops it if too many wait already, or too much.
func (t *transport) send(to core.ID, kind byte, content []byte) {
	p, ok := t.peers[to.Place()]
	if !ok {
		return
	}
	if waiting := p.queued.Add(int64(len(content))); waiting > queueBytes && waiting > int64(len(content)) {
		p.took(frame{kind, content})
		return
	}
	select {
	case p.queue <- frame{kind, content}:
	default:
		p.took(frame{kind, content})
	}
}

func (t *transport) dialLoop(ctx context.Context, p *peer) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for ctx.Err() == nil {
		if conn, err := dialer.DialContext(ctx, "tcp", p.addr); err == nil {
			p.drain() // written for a connection that is gone
			err := t.transmit(ctx, p, conn)
			conn.Close()
			if ctx.Err() == nil {
				t.log.Debug("connection lost", "peer", p.addr, "err", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(redialPause):
		}
	}
}

func (p *peer) drain() {
	for {
		select {
		case f := <-p.queue:
			p.took(f)
		default:
			return
		}
	}
}

// transmit writes frames to one connection until it breaks.
func (t *transport) transmit(ctx context.Context, p *peer, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	broken := make(chan struct{})
	t.wait.Go(func() { // nothing is ever received here: the read ends when the peer is gone
		defer close(broken)
		_, _ = conn.Read(make([]byte, 1))
	})
	defer func() { conn.Close(); <-broken }()

	w := bufio.NewWriterSize(conn, 64<<10)
	hello := binary.BigEndian.AppendUint64(nil, uint64(t.self))
	if err := writeFrame(w, frameHello, hello); err != nil {
		return err
	}
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		next := frame{kind: framePing}
		select {
		case <-broken:
			return errors.New("closed by the peer")
		case next = <-p.queue:
			p.took(next)
		case <-ping.C:
		}
		for more := true; more; {
			// For each frame: what has piled up may take longer in all.
			if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return err
			}
			if err := writeFrame(w, next.kind, next.content); err != nil {
				return err
			}
			select {
			case next = <-p.queue:
				p.took(next)
			default:
				more = false
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// receive hands on the frames of one connection until it breaks.
func (t *transport) receive(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		kind, content, err := readFrame(r)
		if err != nil {
			return
		}
		if kind == frameMessage || kind == frameForward {
			t.accept(kind, content)
		}
	}
}
