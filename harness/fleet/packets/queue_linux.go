package packets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
)

// Numbers of the kernel's nfnetlink_queue (include/uapi/linux/netfilter/nfnetlink_queue.h).
const (
	queueSubsystem = 3

	messagePacket  = 0
	messageVerdict = 1
	messageConfig  = 2

	packetHeader  = 1 // attributes
	verdictHeader = 2
	packetPayload = 10
	packetLength  = 13 // of the whole, if not all of it is copied
	configCommand = 1
	configParams  = 2
	configMaxLen  = 3
	configMask    = 4
	configFlags   = 5

	commandBind = 1
	copyPacket  = 2
	flagGSO     = 1 << 2 // segments that the card would cut up come whole, or nothing gets through fast

	verdictDrop   = 0
	verdictAccept = 1
)

// queue holds the packets of one link that rules send to it, and sends them on when its line says so. Each link has a
// queue of its own, with a number and a socket: what a socket can take in before it is read is bounded
// (net.core.rmem_max, where the process is not root outside of namespaces too), and what is more is lost.
type queue struct {
	number uint16
	whole  bool // it sees whole packets, and each as it is on the wire; others see their sizes only, several at once
	conn   *netlink.Conn
	raw    *socket.Conn // sends packets again; nil until one is to come twice
	wait   sync.WaitGroup

	mu     sync.Mutex
	line   *line
	wake   chan struct{} // has room for one: something is to go on sooner
	closed chan struct{}
}

// newQueue opens the queue of a number, in a network namespace: an open file, or 0 for that of the calling thread.
func newQueue(namespace int, number uint16, whole, twice bool) (*queue, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: namespace})
	if err != nil {
		return nil, fmt.Errorf("packet queue: %w", err)
	}
	q := &queue{
		number: number, whole: whole, conn: conn, line: newLine(number),
		wake: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	// Packets that come faster than they are read are lost, as on a link; that is no error.
	err = errors.Join(q.bind(), conn.SetOption(netlink.NoENOBUFS, true), conn.SetReadBuffer(8<<20))
	if err == nil && twice {
		q.raw, err = newRaw(namespace)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("packet queue: %w", err), conn.Close())
	}
	q.wait.Go(q.read)
	q.wait.Go(q.release)
	return q, nil
}

// againMark is on packets that are sent once more: they pass the rules unseen.
const againMark = 0x73756e64

// newRaw opens a socket that sends packets to the namespace's own addresses, whoever they are from.
func newRaw(namespace int) (*socket.Conn, error) {
	raw, err := socket.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW, "again", &socket.Config{NetNS: namespace})
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	if err := raw.SetsockoptInt(unix.SOL_SOCKET, unix.SO_MARK, againMark); err != nil {
		return nil, errors.Join(fmt.Errorf("raw socket: mark: %w", err), raw.Close())
	}
	return raw, nil
}

// bind asks for the packets of the number.
func (q *queue) bind() error {
	copied, flags := uint32(1), uint32(flagGSO) // to be told how long packets are, some of them must be copied
	if q.whole {
		copied, flags = 0xffff, 0
	}
	for _, attribute := range []netlink.Attribute{
		{Type: configCommand, Data: []byte{commandBind, 0, 0, unix.AF_INET}},
		{Type: configParams, Data: append(binary.BigEndian.AppendUint32(nil, copied), copyPacket)},
		{Type: configMaxLen, Data: binary.BigEndian.AppendUint32(nil, mostHeld)},
	} {
		if err := q.configure(attribute); err != nil {
			return err
		}
	}
	return q.configure(
		netlink.Attribute{Type: configFlags, Data: binary.BigEndian.AppendUint32(nil, flags)},
		netlink.Attribute{Type: configMask, Data: binary.BigEndian.AppendUint32(nil, flagGSO)},
	)
}

func (q *queue) configure(attributes ...netlink.Attribute) error {
	m, err := message(messageConfig, q.number, netlink.Request|netlink.Acknowledge, attributes...)
	if err != nil {
		return err
	}
	_, err = q.conn.Execute(m)
	return err
}

// message makes one about the queue of a number.
func message(
	kind, number uint16,
	flags netlink.HeaderFlags,
	attributes ...netlink.Attribute,
) (m netlink.Message, err error) {
	body, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		return m, err
	}
	general := binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, 0}, number) // struct nfgenmsg
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(queueSubsystem<<8 | kind), Flags: flags},
		Data:   append(general, body...),
	}, nil
}

// become sets how bad the link is.
func (q *queue) become(i harness.Impairment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line.become(i, time.Now())
	q.awake()
}

// did returns what became of the packets so far.
func (q *queue) did() harness.Traffic {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.line.did
}

func (q *queue) awake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// read takes in packets until the queue is closed.
func (q *queue) read() {
	for {
		messages, err := q.conn.Receive()
		if err != nil {
			select {
			case <-q.closed:
				return
			default:
			}
			if errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADF) {
				return
			}
			continue // an answer to a verdict on a packet that is gone
		}
		now := time.Now()
		var lost []uint32
		q.mu.Lock()
		for _, m := range messages {
			id, size, payload, ok := parsePacket(m)
			if !q.whole {
				payload = nil
			}
			if ok && !q.line.arrive(now, id, size, payload) {
				lost = append(lost, id)
			}
		}
		q.mu.Unlock()
		for _, id := range lost {
			q.judge(id, verdictDrop, nil)
		}
		q.awake()
	}
}

// parsePacket reads which packet a message of the kernel's is about, its size, and what was copied of it.
func parsePacket(m netlink.Message) (id uint32, size int, payload []byte, ok bool) {
	if m.Header.Type != queueSubsystem<<8|messagePacket || len(m.Data) < 4 {
		return 0, 0, nil, false
	}
	attributes, err := netlink.UnmarshalAttributes(m.Data[4:])
	if err != nil {
		return 0, 0, nil, false
	}
	for _, a := range attributes {
		switch {
		case a.Type == packetHeader && len(a.Data) >= 4:
			id, ok = binary.BigEndian.Uint32(a.Data), true
		case a.Type == packetPayload:
			payload = a.Data
			size = max(size, len(a.Data))
		case a.Type == packetLength && len(a.Data) >= 4:
			size = int(binary.BigEndian.Uint32(a.Data))
		}
	}
	return id, size, payload, ok
}

// release lets packets go on when they are due.
func (q *queue) release() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		q.mu.Lock()
		due, next := q.line.due(time.Now())
		q.mu.Unlock()
		for _, p := range due {
			q.accept(p)
		}
		timer.Reset(next)
		select {
		case <-q.closed:
			return
		case <-q.wake:
		case <-timer.C:
		}
	}
}

// accept lets a packet go on, as it is, with a bit flipped, or twice.
func (q *queue) accept(p packet) {
	var changed []byte
	q.mu.Lock()
	if p.corrupt && q.line.flip(p.whole) {
		changed = p.whole
		q.line.did.Corrupted++
	}
	q.mu.Unlock()
	q.judge(p.id, verdictAccept, changed)
	if p.twice && q.raw != nil && len(p.whole) >= 20 {
		to := unix.SockaddrInet4{Addr: [4]byte(p.whole[16:20])}
		if err := q.raw.Sendto(context.Background(), p.whole, 0, &to); err == nil {
			q.mu.Lock()
			q.line.did.Duplicated++
			q.mu.Unlock()
		}
	}
}

// judge tells the kernel what becomes of a packet, and what it is to carry if that is not what it did. One that is gone
// meanwhile, as its namespace is, needs nothing.
func (q *queue) judge(id, verdict uint32, payload []byte) {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, verdict), id)
	attributes := []netlink.Attribute{{Type: verdictHeader, Data: head}}
	if payload != nil {
		attributes = append(attributes, netlink.Attribute{Type: packetPayload, Data: payload})
	}
	if m, err := message(messageVerdict, q.number, netlink.Request, attributes...); err == nil {
		_, _ = q.conn.Send(m)
	}
}

// close ends the queue; what it holds is lost.
func (q *queue) close() error {
	close(q.closed)
	err := q.conn.Close()
	if q.raw != nil {
		err = errors.Join(err, q.raw.Close())
	}
	q.wait.Wait()
	return err
}
