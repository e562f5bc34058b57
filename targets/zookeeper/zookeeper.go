// Package zookeeper is ZooKeeper as a target: an ensemble of servers that order all writes by ZAB, answer reads from
// what they know themselves, and end the sessions of clients that they do not hear from, with all ephemeral nodes.
package zookeeper

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// The ports of a server: for what followers and the leader say, for elections, and for clients.
const (
	portPeer     = "peer"
	portElection = "election"
	portClient   = "client"
)

// Times of servers.
const (
	tick      = 500 * time.Millisecond
	syncLimit = 4 // ticks without a word, after which a leader gives up a follower, or a follower its leader
)

// Consistency is how clients read.
type Consistency string

// The consistencies.
const (
	// Linear reads behind a write of the same client, to a node that nobody reads: servers answer a client in the order of
	// its calls, so that they know by then all that was acknowledged before the write.
	Linear Consistency = "linear"
	// Sync reads after a sync, as ZooKeeper's documentation advises, and says that it is not linearizable: a leader that
	// was deposed without knowing it answers a sync from what it knows.
	Sync Consistency = "sync"
	// Local reads what the server knows.
	Local Consistency = "local"
)

var consistencies = []Consistency{Linear, Sync, Local}

// Command is the name of the command that runs a server.
const Command = "zookeeperd"

// Entry is ZooKeeper in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About:     "ZooKeeper, as installed on this machine",
		Installed: true,
		Files: func() ([]string, error) {
			p, err := find()
			if err != nil {
				return nil, err
			}
			return p.files()
		},
		Role: &harness.Role{
			Name: Command, About: "Run a ZooKeeper server, as one of an ensemble",
			Help: `'sunder run --target zookeeper'
starts such servers itself; by hand it is useful to look at one. It needs java on PATH, and ZooKeeper
where Debian's package libzookeeper-java has it, or where ZOOKEEPER_HOME says.`,
			Example: `  sunder zookeeperd --id 1 --servers 1=127.0.0.1:2888:3888 --client 127.0.0.1:2181 --dir /tmp/zk
  echo srvr | nc 127.0.0.1 2181`,
			Arguments: "-- [NAME=VALUE OF ZOO.CFG]",
			New: func(flags *flag.FlagSet) func([]string) (harness.Serve, error) {
				s := Options(flags)
				return func(more []string) (harness.Serve, error) {
					return func(ctx context.Context, out, _ io.Writer) error { return s.Serve(ctx, more, out) }, s.check(more)
				}
			},
		},
		Shell: func(clients []string) string {
			host, port, _ := net.SplitHostPort(clients[0])
			return "sh -c 'echo srvr | nc " + host + " " + port + "'"
		},
		New: func(flags *flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			consistency := flags.String("consistency", "",
				"consistency of reads: linear (behind a write of the client's own), sync or local (default linear)")
			return func(c harness.TargetConfig) (harness.Target, error) {
				t, err := New(Consistency(*consistency), c.Arguments(""))
				if err != nil {
					return nil, err
				}
				t.Home = os.Getenv(homeEnv)
				return t, nil
			}
		},
	}
}

// Target launches an ensemble of servers.
type Target struct {
	// Consistency is that of reads.
	Consistency Consistency
	// Config are lines of zoo.cfg, beside what the placement says.
	Config []string
	// Home is where ZooKeeper's own archive was unpacked; empty if it is where packages or images have it.
	Home string

	mu      sync.Mutex
	leaders map[uint64]string // by epoch, as far as they said so themselves
}

// New returns a target with reads of a consistency, of which empty is [Linear], and lines of zoo.cfg.
func New(c Consistency, config []string) (*Target, error) {
	c = cmp.Or(c, Linear)
	if !slices.Contains(consistencies, c) {
		return nil, fmt.Errorf("ZooKeeper has no consistency %q; known are %v", c, consistencies)
	}
	return &Target{Consistency: c, Config: config, leaders: map[uint64]string{}}, nil
}

// Caveat implements [harness.Caveater].
func (t *Target) Caveat() string {
	switch t.Consistency {
	case Sync:
		return "ZooKeeper documents that a sync and a read are not linearizable together: a sync does not ask a quorum"
	case Local:
		return "ZooKeeper documents that servers answer reads from what they know, which may be old"
	}
	return ""
}

// Timing implements [harness.Timed].
func (*Target) Timing() history.Timing {
	return history.Timing{Heartbeat: tick / 2, Election: syncLimit * tick}
}

// Ports implements [harness.Target].
func (*Target) Ports() []string { return []string{portPeer, portElection, portClient} }

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	var servers []string
	command := []string{Command}
	for i, m := range p.Members {
		_, election, _ := net.SplitHostPort(m.Addr[portElection])
		servers = append(servers, fmt.Sprintf("%d=%s:%s", i+1, m.Addr[portPeer], election))
		if m.Name == p.Node {
			command = append(command, "--id", strconv.Itoa(i+1), "--client", m.Addr[portClient])
		}
	}
	command = append(command, "--servers", strings.Join(servers, ","), "--dir", p.DataDir, "--")
	spec := harness.NodeSpec{Name: p.Node, Self: true, Command: append(command, t.Config...), DataDir: p.DataDir}
	if t.Home != "" {
		spec.Env = []string{homeEnv + "=" + t.Home}
	}
	return spec
}

// Can implements [harness.Target].
func (*Target) Can() []harness.Capability {
	return []harness.Capability{harness.KV, harness.CAS, harness.Lock, harness.Leader}
}

// Needs implements [harness.Needer]: servers tell each other where to reach them, so that each has one address for all.
func (*Target) Needs() []harness.Capability { return []harness.Capability{harness.NodeAddress} }

// Checkers implements [harness.Judged].
func (*Target) Checkers() []string { return []string{"leader"} }

// Fits implements [harness.Sized].
func (*Target) Fits(nodes int) error {
	if nodes < 2 {
		return errors.New("one server is no ensemble, and elects nobody: at least 2 nodes")
	}
	return nil
}

// Ready implements [harness.Target]: the server follows or leads, and opens a session, which is a write that a quorum
// agrees to.
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	if _, err := ask(ctx, n); err != nil {
		return err
	}
	c, err := t.Dial(ctx, n)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.(*Client).fence(ctx)
}

// Status implements [harness.Reporter]. A server does not say whom it follows: that is who has said that it leads in
// the epoch of what the follower did last.
func (t *Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	said, err := ask(ctx, n)
	if errors.Is(err, errNotServing) {
		return history.Status{Role: "looking", Vague: true}, nil
	}
	if err != nil {
		return history.Status{}, err
	}
	zxid, err := strconv.ParseUint(strings.TrimPrefix(said["Zxid"], "0x"), 16, 64)
	if err != nil {
		return history.Status{}, fmt.Errorf("zxid: %w", err)
	}
	s := history.Status{Role: said["Mode"], Term: epoch(zxid), Vague: true}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Role == "leader" && s.Term > 0 {
		t.leaders[s.Term] = n.Name()
	}
	s.Leader = t.leaders[s.Term]
	return s, nil
}

// epoch is that of a transaction: the upper half of its number.
func epoch(zxid uint64) uint64 { return zxid >> 32 }

// leads is what a server logs when a quorum has agreed that it leads (Leader.java: startZkServer).
var leads = regexp.MustCompile(`Leader.* - Have quorum of supporters, sids: \[[][0-9, ]*\]; ` +
	`starting up and setting last processed zxid: 0x([0-9a-f]+)\s*$`)

// Claim implements [harness.Witness]: a term is an epoch.
func (*Target) Claim(line []byte) (term uint64, ok bool) {
	m := leads.FindSubmatch(line)
	if m == nil {
		return 0, false
	}
	zxid, err := strconv.ParseUint(string(m[1]), 16, 64)
	return epoch(zxid), err == nil && epoch(zxid) > 0
}

// tells are what servers log of snapshots that they send each other (LearnerHandler.java, Learner.java).
var tells = map[string]*regexp.Regexp{
	history.ToldSendsSnapshot:     regexp.MustCompile(`LearnerHandler.* - Sending snapshot last zxid of peer is `),
	history.ToldInstalledSnapshot: regexp.MustCompile(`Learner.* - Getting a snapshot from leader `),
}

// Tells implements [harness.Teller].
func (*Target) Tells() []string {
	return []string{history.ToldSendsSnapshot, history.ToldInstalledSnapshot}
}

// Tell implements [harness.Teller].
func (*Target) Tell(line []byte) (history.Told, bool) {
	for what, text := range tells {
		if text.Match(line) {
			return history.Told{What: what}, true
		}
	}
	return history.Told{}, false
}

// errNotServing is what a server says that neither leads nor follows.
var errNotServing = errors.New("it is not serving requests")

// maxAnswer bounds what a server can make us read.
const maxAnswer = 1 << 16

// ask asks a server about itself by the command srvr.
func ask(ctx context.Context, n harness.Node) (map[string]string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.Addr(portClient))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // it ends what is waited for
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	if strings.Contains(string(text), "not currently serving requests") {
		return nil, errNotServing
	}
	said := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			said[name] = value
		}
	}
	if said["Mode"] != "leader" && said["Mode"] != "follower" {
		return nil, fmt.Errorf("it says that its mode is %q", said["Mode"])
	}
	return said, nil
}
