package packets

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Numbers of the kernel's nfnetlink_queue (include/uapi/linux/netfilter/nfnetlink_queue.h).
const (
	queueSubsystem = 3

	messagePacket  = 0
	messageVerdict = 1
	messageConfig  = 2

	packetHeader  = 1 // attributes
	verdictHeader = 2
	configCommand = 1
	configParams  = 2
	configMaxLen  = 3
	configMask    = 4
	configFlags   = 5

	commandBind = 1
	copyMeta    = 1      // with no copy at all, the kernel refuses to queue
	flagGSO     = 1 << 2 // segments that the card would cut up come whole, or nothing gets through fast

	verdictAccept = 1
)

// mostHeld is how many packets a queue holds; those that come then are lost.
const mostHeld = 100_000

// queue holds the packets of one link that rules send to it, and lets them go on later. Each link has a queue of its
// own, with a number and a socket: what a socket can take in before it is read is bounded (net.core.rmem_max, where the
// process is not root outside of namespaces too), and what is more is lost.
type queue struct {
	number uint16
	conn   *netlink.Conn
	wait   sync.WaitGroup

	mu      sync.Mutex
	delay   time.Duration
	held    packetHeap
	arrived uint64
	wake    chan struct{} // has room for one: something is to go on sooner
	closed  chan struct{}
}

// packet is one that is held.
type packet struct {
	due   time.Time
	order uint64
	id    uint32
}

// newQueue opens the queue of a number, in a network namespace: an open file, or 0 for that of the calling thread.
func newQueue(namespace int, number uint16) (*queue, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: namespace})
	if err != nil {
		return nil, fmt.Errorf("packet queue: %w", err)
	}
	q := &queue{number: number, conn: conn, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	// Packets that come faster than they are read are lost, as on a link; that is no error.
	err = errors.Join(q.bind(), conn.SetOption(netlink.NoENOBUFS, true), conn.SetReadBuffer(8<<20))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("packet queue: %w", err), conn.Close())
	}
	q.wait.Go(q.read)
	q.wait.Go(q.release)
	return q, nil
}

// bind asks for the packets of the number.
func (q *queue) bind() error {
	params := make([]byte, 5)
	params[4] = copyMeta
	for _, attribute := range []netlink.Attribute{
		{Type: configCommand, Data: []byte{commandBind, 0, 0, unix.AF_INET}},
		{Type: configParams, Data: params},
		{Type: configMaxLen, Data: binary.BigEndian.AppendUint32(nil, mostHeld)},
	} {
		if err := q.configure(attribute); err != nil {
			return err
		}
	}
	return q.configure(
		netlink.Attribute{Type: configFlags, Data: binary.BigEndian.AppendUint32(nil, flagGSO)},
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
func message(kind, number uint16, flags netlink.HeaderFlags, attributes ...netlink.Attribute) (m netlink.Message, err error) {
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

// late sets by how much packets are late. Those that are held and are to be late no more go on at once.
func (q *queue) late(by time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	sooner := by < q.delay
	q.delay = by
	if !sooner {
		return
	}
	latest := time.Now().Add(by)
	for i := range q.held {
		if p := &q.held[i]; p.due.After(latest) {
			p.due = latest
		}
	}
	heap.Init(&q.held)
	q.awake()
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
		q.mu.Lock()
		for _, m := range messages {
			if id, ok := parsePacket(m); ok {
				q.arrived++
				heap.Push(&q.held, packet{due: now.Add(q.delay), order: q.arrived, id: id})
			}
		}
		q.mu.Unlock()
		q.awake()
	}
}

// parsePacket reads which packet a message of the kernel's is about.
func parsePacket(m netlink.Message) (id uint32, ok bool) {
	if m.Header.Type != queueSubsystem<<8|messagePacket || len(m.Data) < 4 {
		return 0, false
	}
	attributes, err := netlink.UnmarshalAttributes(m.Data[4:])
	if err != nil {
		return 0, false
	}
	for _, a := range attributes {
		if a.Type == packetHeader && len(a.Data) >= 4 {
			return binary.BigEndian.Uint32(a.Data), true
		}
	}
	return 0, false
}

// release lets packets go on when they are due.
func (q *queue) release() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		q.mu.Lock()
		now := time.Now()
		var due []packet
		for len(q.held) > 0 && !q.held[0].due.After(now) {
			due = append(due, heap.Pop(&q.held).(packet))
		}
		next := time.Hour
		if len(q.held) > 0 {
			next = q.held[0].due.Sub(now)
		}
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

// accept lets a packet go on. One that is gone meanwhile, as its namespace is, needs nothing.
func (q *queue) accept(p packet) {
	verdict := binary.BigEndian.AppendUint32(nil, verdictAccept)
	m, err := message(messageVerdict, q.number, netlink.Request,
		netlink.Attribute{Type: verdictHeader, Data: binary.BigEndian.AppendUint32(verdict, p.id)})
	if err == nil {
		_, _ = q.conn.Send(m)
	}
}

// close ends the queue; what it holds is lost.
func (q *queue) close() error {
	close(q.closed)
	err := q.conn.Close()
	q.wait.Wait()
	return err
}

// packetHeap has the packet that goes on first at its head.
type packetHeap []packet

// Len implements [heap.Interface].
func (h packetHeap) Len() int { return len(h) }

// Less implements [heap.Interface]: packets that are due at once go on as they came.
func (h packetHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].order < h[j].order
}

// Swap implements [heap.Interface].
func (h packetHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *packetHeap) Push(p any) { *h = append(*h, p.(packet)) }

// Pop implements [heap.Interface].
func (h *packetHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	*h = old[:len(old)-1]
	return p
}
