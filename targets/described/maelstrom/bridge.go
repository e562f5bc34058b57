// Package maelstrom makes a member of a cluster of a program that was written for Maelstrom: one that reads messages
// from its standard input and writes them to its standard output. In Maelstrom one process is the network for all
// nodes. Here each node has a bridge beside it, which carries its messages to the others' bridges by TCP, so that links
// can be cut as those of any system, and makes messages of what clients ask by HTTP.
package maelstrom

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
)

// Config is what a bridge is told.
type Config struct {
	Node    string            // n1, n2 and so on
	Peers   map[string]string // all nodes and where they listen for each other, as host:port; this one too
	Client  string            // where to listen for clients
	Command []string          // the program, and its arguments
}

// maxLine bounds one message.
const maxLine = 1 << 20

// bridge is one beside a program.
type bridge struct {
	Config
	log    *slog.Logger
	input  chan []byte            // lines for the program
	queues map[string]chan []byte // lines for the others, by node
	ready  chan struct{}          // closed once the program has answered init

	mu      sync.Mutex
	clients int // connections so far
	born    int64
	waiting map[call]chan body
}

// call is one that waits for its answer.
type call struct {
	client string
	id     int
}

// queued is how many messages wait for a link, at most. What is more is lost, as a network may lose it.
const queued = 1024

// Serve runs the program until it ends, or ctx does. What the program writes to its standard error goes to say, and
// what the bridge has to say too.
func Serve(ctx context.Context, c Config, say io.Writer) error {
	if len(c.Command) == 0 {
		return errors.New("there is no program to run")
	}
	if _, err := number(c.Node); err != nil {
		return err
	}
	own, ok := c.Peers[c.Node]
	if !ok {
		return fmt.Errorf("%s is not among the nodes %v", c.Node, slices.Sorted(maps.Keys(c.Peers)))
	}
	b := &bridge{
		Config: c, log: slog.New(slog.NewJSONHandler(say, nil)), input: make(chan []byte, queued),
		queues: map[string]chan []byte{}, ready: make(chan struct{}), born: time.Now().UnixMilli(), waiting: map[call]chan body{},
	}
	ctx, err := harness.Watchdog(ctx)
	if err != nil {
		return err
	}
	peers, err := (&net.ListenConfig{}).Listen(ctx, "tcp", own)
	if err != nil {
		return err
	}
	defer peers.Close()
	clients, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Client)
	if err != nil {
		return err
	}
	defer clients.Close()
	group, ctx := errgroup.WithContext(ctx)
	for name, addr := range c.Peers {
		if name != c.Node {
			queue := make(chan []byte, queued)
			b.queues[name] = queue
			group.Go(func() error { return b.carry(ctx, addr, queue) })
		}
	}
	server := &http.Server{Handler: b.api(), ReadHeaderTimeout: 10 * time.Second, ConnContext: b.named}
	group.Go(func() error { return b.play(ctx, say) })
	group.Go(func() error { return b.accept(ctx, peers) })
	group.Go(func() error { return b.initialize(ctx) })
	group.Go(func() error { return server.Serve(clients) })
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(peers.Close(), server.Close(), context.Cause(ctx))
	})
	return group.Wait()
}

// number returns 3 for n3.
func number(node string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(node, "n"))
	if err != nil || n < 1 || n >= mostNodes {
		return 0, fmt.Errorf("%q is no node: n1, n2 and so on are", node)
	}
	return n, nil
}

// play runs the program, with what is to go in and what comes out.
func (b *bridge) play(ctx context.Context, say io.Writer) error {
	cmd := exec.CommandContext(
		ctx,
		b.Command[0],
		b.Command[1:]...) // in our process group: what happens to it happens to both
	cmd.Stderr, cmd.WaitDelay = say, time.Second
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	feeding, stop := context.WithCancel(ctx)
	var feeder sync.WaitGroup
	feeder.Go(func() {
		for {
			select {
			case <-feeding.Done():
				return
			case text := <-b.input:
				if _, err := input.Write(text); err != nil {
					return // it has ended, or will be told to
				}
			}
		}
	})
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		b.route(slices.Clone(lines.Bytes()))
	}
	stop()
	if err = lines.Err(); err != nil {
		err = errors.Join(fmt.Errorf("what it writes cannot be read: %w", err), cmd.Process.Kill()) // or it would wait for us
	}
	err = errors.Join(err, cmd.Wait())
	feeder.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("the program has ended: %w", cmp.Or(err, errors.New("exit status 0")))
}

// route takes a message to where it is to go: to the program, to another node, to a client of this node or of another.
func (b *bridge) route(text []byte) {
	m, head, err := parse(text)
	if err != nil {
		b.log.Error("a line that is no message", "err", err)
		return
	}
	to := m.Dest
	if owner, isClient := ownerOf(m.Dest); isClient {
		if owner == b.Node {
			b.reply(call{m.Dest, head.InReplyTo}, m.Body)
			return
		}
		to = owner
	}
	text = append(text, '\n')
	queue, known := b.queues[to]
	switch {
	case to == b.Node:
		queue = b.input
	case !known:
		b.refuse(m, head)
		return
	}
	select {
	case queue <- text:
	default: // full: lost
	}
}

// refuse answers a call of one of Maelstrom's own services, such as lin-kv, of which there are none here.
func (b *bridge) refuse(m message, asked head) {
	b.log.Error("there is no such node", "dest", m.Dest)
	text, err := line(m.Dest, b.Node, body{
		Type: "error", InReplyTo: asked.MsgID, Code: codeNotSupported, Text: "there is no " + m.Dest + " here",
	})
	if err == nil && asked.MsgID != 0 {
		select {
		case b.input <- text:
		default: // full: lost
		}
	}
}

// carry takes messages to another node. Those that cannot be delivered are lost.
func (b *bridge) carry(ctx context.Context, addr string, queue <-chan []byte) error {
	const patience = 100 * time.Millisecond // between two attempts to connect
	var conn net.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	var gone <-chan struct{} // closed when the connection ends
	unblock := func() bool { return true }
	defer func() { unblock() }()
	retry := time.Now()
	for {
		var text []byte
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-gone:
			conn.Close()
			conn, gone = nil, nil
			continue
		case text = <-queue:
		}
		if conn == nil && time.Now().After(retry) {
			dialer := net.Dialer{Timeout: time.Second}
			fresh, err := dialer.DialContext(ctx, "tcp", addr)
			if retry = time.Now().Add(patience); err != nil {
				continue
			}
			conn, gone = fresh, watch(fresh)
			unblock()
			unblock = context.AfterFunc(ctx, func() { fresh.Close() }) // a link that is cut may hold a write up
		}
		if conn == nil {
			continue
		}
		if _, err := conn.Write(text); err != nil {
			conn.Close()
			conn, gone = nil, nil
		}
	}
}

// watch returns a channel that is closed when the other side ends a connection, on which it never writes.
func watch(conn net.Conn) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return gone
}

// accept takes in what other nodes send.
func (b *bridge) accept(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		open.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			lines := bufio.NewScanner(conn)
			lines.Buffer(nil, maxLine)
			for lines.Scan() {
				b.route(slices.Clone(lines.Bytes()))
			}
		})
	}
}

// initialize tells the program who it is, as Maelstrom does before anything else.
func (b *bridge) initialize(ctx context.Context) error {
	client := b.newClient()
	nodes := slices.SortedFunc(maps.Keys(b.Peers), func(x, y string) int { return byNumber(x) - byNumber(y) })
	said, err := b.ask(ctx, client, 1, body{Type: "init", NodeID: b.Node, NodeIDs: nodes})
	if err == nil && said.Type != "init_ok" {
		err = fmt.Errorf("the program answered init with %.40q: %.200s", said.Type, said.Text)
	}
	if err != nil {
		return err
	}
	b.log.Info("the program is initialized")
	close(b.ready)
	return nil
}

func byNumber(node string) int {
	n, err := number(node)
	if err != nil {
		return mostNodes // one that is wrong is refused where it is told who it is
	}
	return n
}
