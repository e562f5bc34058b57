// Package redis is Redis with Sentinel as a target: a primary that acknowledges before its replicas have heard of
// anything, and sentinels that make another server the primary when they do not hear from it. Under partitions there
// are two for a while, and what one of them acknowledged is lost: Redis documents that.
package redis

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// The ports of a member: its server's, which is also where clients connect, and its sentinel's.
const (
	portServer   = "server"
	portSentinel = "sentinel"
)

// primaryName is what sentinels call the primary that they watch.
const primaryName = "main"

// Programs of a member.
const (
	serverProgram   = "redis-server"
	sentinelProgram = "redis-sentinel"
)

// Times of sentinels.
const (
	downAfter       = time.Second
	failoverTimeout = 5 * time.Second
)

// Entry is Redis with Sentinel in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About:     "Redis with Sentinel, as installed on this machine: acknowledged writes are lost when the primary changes",
		Installed: true,
		Role: &harness.Role{
			Name: Command, About: "Run a Redis server with a sentinel beside it, as one member of a cluster",
			Help: `'sunder run --target redis'
starts such members itself; by hand it is useful to look at one. Both programs must be on PATH.`,
			Example:   "  sunder redisd --server 127.0.0.1:7001 --sentinel 127.0.0.1:8001 --servers 127.0.0.1:7001 --dir /tmp",
			Arguments: "-- [FLAGS OF REDIS-SERVER]",
			New: func(flags *flag.FlagSet) func([]string) (harness.Serve, error) {
				m := Options(flags)
				return func(more []string) (harness.Serve, error) {
					return func(ctx context.Context, out, _ io.Writer) error { return m.Serve(ctx, more, out) }, nil
				}
			},
		},
		Files: func() (files []string, err error) {
			for _, program := range []string{serverProgram, sentinelProgram} {
				file, err := exec.LookPath(program)
				if err != nil {
					return nil, fmt.Errorf("%s is not on PATH; on Debian and Ubuntu: apt-get install redis-server redis-sentinel",
						program)
				}
				files = append(files, file)
			}
			return files, nil
		},
		Shell: func(clients []string) string {
			host, port, _ := strings.Cut(clients[0], ":")
			return "redis-cli -h " + host + " -p " + port + " info replication"
		},
		New: func(flags *flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			wait := flags.Int("wait", 0, "replicas that must have a write before it counts as made (WAIT)")
			replicas := flags.Int("min-replicas-to-write", 0, "connected replicas without which the primary takes no writes")
			return func(c harness.TargetConfig) (harness.Target, error) {
				redis.SetLogger(silent{}) // what its client has to say, its errors say
				if *wait < 0 || *replicas < 0 {
					return nil, fmt.Errorf("--wait %d, --min-replicas-to-write %d: not below 0", *wait, *replicas)
				}
				return &Target{Wait: *wait, MinReplicas: *replicas, Flags: c.Arguments("--")}, nil
			}
		},
	}
}

// silent is a log of the client library that nobody reads.
type silent struct{}

// Printf implements the library's logger.
func (silent) Printf(context.Context, string, ...any) {}

// Target launches servers with a sentinel each.
type Target struct {
	// Wait is how many replicas must have a write before a client takes it for made.
	Wait int
	// MinReplicas is how many connected replicas the primary needs to take writes.
	MinReplicas int
	// Flags are passed to redis-server, beside what the placement says.
	Flags []string

	mu    sync.Mutex
	names map[string]string // of members by the addresses of their servers, as far as they were asked
}

// Caveat implements [harness.Caveater].
func (*Target) Caveat() string {
	return "Redis documents that its replication is asynchronous: acknowledged writes can be lost, and there can be two " +
		"primaries during a partition (WAIT and min-replicas-to-write make it rarer)"
}

// Timing implements [harness.Timed].
func (*Target) Timing() history.Timing {
	return history.Timing{Heartbeat: downAfter / 4, Election: downAfter}
}

// Ports implements [harness.Target].
func (*Target) Ports() []string { return []string{portServer, portSentinel} }

// Command is the name of the command that runs a member.
const Command = "redisd"

// Spec implements [harness.Target]. The first member is the primary at first.
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	var self harness.Member
	var servers []string
	for _, m := range p.Members {
		servers = append(servers, m.Addr[portServer])
		if m.Name == p.Node {
			self = m
		}
	}
	command := []string{
		Command, "--server", self.Addr[portServer], "--sentinel", self.Addr[portSentinel], "--dir", p.DataDir,
		"--servers", strings.Join(servers, ","), "--",
		"--min-replicas-to-write", strconv.Itoa(t.MinReplicas), "--min-replicas-max-lag", "1",
	}
	return harness.NodeSpec{Name: p.Node, Self: true, Command: append(command, t.Flags...), DataDir: p.DataDir}
}

// Can implements [harness.Target].
func (*Target) Can() []harness.Capability {
	return []harness.Capability{harness.KV, harness.CAS, harness.Lock, harness.Lease, harness.Leader}
}

// Needs implements [harness.Needer]: sentinels tell each other where servers are, so that each has one address for all.
func (*Target) Needs() []harness.Capability { return []harness.Capability{harness.NodeAddress} }

// Checkers implements [harness.Judged].
func (*Target) Checkers() []string { return []string{"leader:single"} }

// Fits implements [harness.Sized].
func (*Target) Fits(nodes int) error {
	if nodes < 3 {
		return fmt.Errorf("%d sentinels cannot agree without one of them: at least 3 nodes", nodes)
	}
	return nil
}

// Ready implements [harness.Target]: the member's sentinel knows all others, and its server is the primary or has
// caught up with it. One that does not know all others cannot let another server take over.
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	known, err := askSentinel(ctx, n)
	if err != nil {
		return err
	}
	info, err := askServer(ctx, n)
	switch {
	case err != nil:
		return err
	case known["flags"] != "master":
		return fmt.Errorf("its sentinel says that the primary is %s", known["flags"])
	case known["num-slaves"] != known["num-other-sentinels"] || known["num-slaves"] == "0":
		return fmt.Errorf(
			"its sentinel knows %s replicas and %s other sentinels",
			known["num-slaves"],
			known["num-other-sentinels"],
		)
	case info["role"] == "slave" && info["master_link_status"] != "up":
		return errors.New("it is not connected to the primary")
	}
	return nil
}

// Status implements [harness.Reporter]: the role is the server's own word, and who leads in which term is the word of
// the sentinel beside it.
func (t *Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	info, err := askServer(ctx, n)
	if err != nil {
		return history.Status{}, err
	}
	s := history.Status{Role: "follower", Vague: true}
	t.learn(n)
	if info["role"] == "master" {
		s.Role = "leader"
	}
	if known, err := askSentinel(ctx, n); err == nil { // without it, the server says enough
		s.Term, _ = strconv.ParseUint(known["config-epoch"], 10, 64) // what is no number is not known
		s.Term++                                                     // the first is 0
		s.Leader = t.nameOf(net.JoinHostPort(known["ip"], known["port"]))
	}
	return s, nil
}

// learn takes note of where a member is, which sentinels know by address alone.
func (t *Target) learn(n harness.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		t.names = map[string]string{}
	}
	t.names[n.Addr(portServer)] = n.Name()
}

// nameOf returns the name of the member whose server is at an address: the address until it was asked itself.
func (t *Target) nameOf(addr string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(t.names[addr], addr)
}

// askServer asks a member's server about itself.
func askServer(ctx context.Context, n harness.Node) (map[string]string, error) {
	c := single(n.Addr(portServer))
	defer c.Close()
	text, err := c.Info(ctx, "replication").Result()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// askSentinel asks a member's sentinel about the primary.
func askSentinel(ctx context.Context, n harness.Node) (map[string]string, error) {
	c := redis.NewSentinelClient(options(n.Addr(portSentinel)))
	defer c.Close()
	return c.Master(ctx, primaryName).Result()
}

// options are those of a client of one address that never tries again: what is sent again may happen twice.
func options(addr string) *redis.Options {
	return &redis.Options{
		Addr: addr, MaxRetries: -1, PoolSize: 1, DialTimeout: time.Second, ContextTimeoutEnabled: true,
		DisableIdentity: true, Protocol: 2, DialerRetries: 1,
	}
}

func single(addr string) *redis.Client { return redis.NewClient(options(addr)) }
