package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// sessionTime is after how long without a word a server forgets a client.
const sessionTime = 4 * time.Second

// dialTime bounds one attempt to connect.
const dialTime = time.Second

// Client is a session with one server.
type Client struct {
	addr        string
	consistency Consistency

	session *session // nil until the first call
	closed  bool
	broken  bool // a call was given up, which its connection may still be busy with
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return &Client{addr: n.Addr(portClient), consistency: t.Consistency}, nil
}

// errClosed is the error of calls of a client that was closed.
var errClosed = errors.New("the client is closed")

// conn returns the connection, and begins it at the first call.
func (c *Client) conn() (*zk.Conn, error) {
	if c.closed {
		return nil, errClosed
	}
	if c.session == nil {
		s, err := connect([]string{c.addr}, sessionTime, nil)
		if err != nil {
			return nil, err
		}
		c.session = s
	}
	return c.session.conn, nil
}

// Close ends the session.
func (c *Client) Close() error {
	c.closed = true
	if c.session != nil {
		c.session.end(!c.broken)
	}
	return nil
}

// session is a connection of the client library, which connects anew by itself.
type session struct {
	conn *zk.Conn

	mu     sync.Mutex
	socket net.Conn
	over   bool
}

// connect begins a session with one of servers, in their order. What happens to it is told to see, if that is not nil.
func connect(servers []string, timeout time.Duration, see zk.EventCallback) (*session, error) {
	s := &session{}
	conn, _, err := zk.Connect(servers, timeout, zk.WithHostProvider(&inOrder{servers: servers}), zk.WithLogger(silent{}),
		zk.WithLogInfo(false), zk.WithEventCallback(see), zk.WithDialer(s.dial), zk.WithMaxBufferSize(maxAnswer))
	s.conn = conn
	return s, err
}

func (s *session) dial(network, addr string, _ time.Duration) (net.Conn, error) {
	// The library knows no contexts.
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(context.Background(), network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, errors.Join(errClosed, conn.Close())
	}
	s.socket = conn
	return conn, nil
}

// end ends the session, and, if that is asked for, tells the server, which takes up to a second if the server does not
// answer. The library itself waits for a server that is paused for many times the session's timeout.
func (s *session) end(tell bool) {
	if !tell {
		s.hangUp()
	}
	s.conn.Close()
	s.hangUp()
}

func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.socket != nil {
		_ = s.socket.Close() // as often as it likes
	}
}

// silent is a log of the client library that nobody reads: what it has to say, its errors say.
type silent struct{}

// Printf implements [zk.Logger].
func (silent) Printf(string, ...any) {}

// inOrder gives the client library servers in their order, again and again.
type inOrder struct {
	servers     []string
	next, tried int
}

// Init implements [zk.HostProvider]. The library has shuffled the servers by then.
func (*inOrder) Init([]string) error { return nil }

// Len implements [zk.HostProvider].
func (o *inOrder) Len() int { return len(o.servers) }

// Next implements [zk.HostProvider]. Once all were tried in vain, calls that were not sent fail.
func (o *inOrder) Next() (server string, again bool) {
	server, again = o.servers[o.next%len(o.servers)], o.tried == len(o.servers)
	if again {
		o.tried = 0
	}
	o.next, o.tried = o.next+1, o.tried+1
	return server, again
}

// Connected implements [zk.HostProvider].
func (o *inOrder) Connected() { o.tried = 0 }

// within makes a call of the client library, which knows no contexts, and does not wait for it any longer than ctx.
// What it may still do then is in doubt, and ends with the session.
func within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	said := make(chan answer, 1)
	go func() {
		value, err := call()
		said <- answer{value, err}
	}()
	select {
	case a := <-said:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// asking makes a call of a client.
func asking[T any](ctx context.Context, c *Client, call func(*zk.Conn) (T, error)) (T, error) {
	conn, err := c.conn()
	if err != nil {
		var none T
		return none, judge(err)
	}
	value, err := within(ctx, func() (T, error) { return call(conn) })
	c.broken = c.broken || ctx.Err() != nil
	return value, judge(err)
}

// everybody may do everything.
var everybody = zk.WorldACL(zk.PermAll)

func path(key string) string { return "/" + url.PathEscape(key) }

// fenceNode is written to in order to read all that was written before.
const fenceNode = "sunder-fence"

// fence writes to a node that nobody reads. What the client reads next is at least as new as the write.
func (c *Client) fence(ctx context.Context) error {
	_, err := c.Write(ctx, fenceNode, "")
	return err
}

// Read returns the value of a key, or nil if there is none.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	if err := c.catchUp(ctx, key); err != nil {
		return nil, history.Stamp{}, err
	}
	value, stat, err := c.get(ctx, key)
	if err != nil || value == nil {
		return nil, history.Stamp{}, err
	}
	return value, history.Stamp{Version: uint64(stat.Mzxid)}, nil
}

// catchUp lets the server learn what others have acknowledged, as far as reads are to be that consistent.
func (c *Client) catchUp(ctx context.Context, key string) (err error) {
	switch c.consistency {
	case Linear:
		err = c.fence(ctx)
	case Sync:
		_, err = asking(ctx, c, func(conn *zk.Conn) (string, error) { return conn.Sync(path(key)) })
	}
	return err
}

// get returns what the server knows of a key; nil if it knows of none.
func (c *Client) get(ctx context.Context, key string) (*string, *zk.Stat, error) {
	type node struct {
		data []byte
		stat *zk.Stat
	}
	now, err := asking(ctx, c, func(conn *zk.Conn) (node, error) {
		data, stat, err := conn.Get(path(key))
		return node{data, stat}, err
	})
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	value := string(now.data)
	return &value, now.stat, nil
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	for {
		at, err := c.set(ctx, key, value, -1)
		if !errors.Is(err, zk.ErrNoNode) {
			return at, err
		}
		_, err = asking(ctx, c, func(conn *zk.Conn) (string, error) {
			return conn.Create(path(key), []byte(value), 0, everybody)
		})
		if !errors.Is(err, zk.ErrNodeExists) { // another client created it meanwhile, and it is to be set
			return history.Stamp{}, err
		}
	}
}

// set sets a key that there is, if it has a version; -1 is any.
func (c *Client) set(ctx context.Context, key, value string, version int32) (history.Stamp, error) {
	stat, err := asking(ctx, c, func(conn *zk.Conn) (*zk.Stat, error) {
		return conn.Set(path(key), []byte(value), version)
	})
	if err != nil {
		return history.Stamp{}, err
	}
	return history.Stamp{Version: uint64(stat.Mzxid)}, nil
}

// CompareAndSet sets a key if it holds old. ZooKeeper compares versions: the key is read, and set if nobody has written
// to it since.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	now, stat, err := c.get(ctx, key)
	if err == nil && (now == nil || *now != old) && c.consistency != Local {
		// What the server knows may be old, and is no reason to refuse.
		if err = c.catchUp(ctx, key); err == nil {
			now, stat, err = c.get(ctx, key)
		}
	}
	switch {
	case err != nil:
		return history.Stamp{}, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // the key was not written to
	case now == nil || *now != old:
		if c.consistency != Linear {
			return history.Stamp{}, fmt.Errorf("%s holds another value, by a read that may be stale: %w", key,
				harness.ErrNotApplied)
		}
		// Proof: a linearizable read, within the call, saw another value.
		return history.Stamp{}, harness.Refusal{Reason: history.Mismatch, Found: now, Known: true}
	}
	at, err := c.set(ctx, key, value, stat.Version)
	if errors.Is(err, zk.ErrBadVersion) {
		// Proof: the server compared versions, and that was all that it did. It says nothing of the value.
		return at, harness.Refusal{Reason: "written to in between"}
	}
	return at, err
}

// judge says whether an error proves that nothing was done.
func judge(err error) error {
	for _, proof := range []error{
		zk.ErrNoServer,   // the library could not connect, and has not sent the call
		zk.ErrBadVersion, // the server compared versions, and that was all that it did
		zk.ErrNoNode,     // nothing to set
		errClosed,        // and no session was begun
	} {
		if errors.Is(err, proof) {
			return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
	}
	return err
}
