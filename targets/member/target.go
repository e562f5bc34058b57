package member

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/kvhttp"
)

// The ports of a member.
const (
	portPeer   = "peer"
	portClient = "client"
)

// TickTime is how often a member looks at the time.
const TickTime = 10 * time.Millisecond

// Target launches members that run a core, by a command of sunder itself.
type Target struct {
	// Command is the name of that command, and Args are arguments beside what the placement says.
	Command string
	Args    []string
	// Warning is what the protocol does not promise; empty if it promises all that is asked of it.
	Warning string
	Times   history.Timing
	Judges  []string // checkers
}

// Caveat implements [harness.Caveater].
func (t *Target) Caveat() string { return t.Warning }

// Timing implements [harness.Timed].
func (t *Target) Timing() history.Timing { return t.Times }

// Checkers implements [harness.Judged].
func (t *Target) Checkers() []string { return t.Judges }

// Ports implements [harness.Target].
func (*Target) Ports() []string { return []string{portPeer, portClient} }

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	var peers []string
	client := ""
	for _, m := range p.Members {
		peers = append(peers, m.Name+"="+m.Addr[portPeer])
		if m.Name == p.Node {
			client = m.Addr[portClient]
		}
	}
	command := []string{
		t.Command, "--id", p.Node, "--peers", strings.Join(peers, ","), "--client", client, "--dir", p.DataDir,
		"--seed", fmt.Sprint(p.Seed),
	}
	return harness.NodeSpec{Name: p.Node, Self: true, DataDir: p.DataDir, Command: append(command, t.Args...)}
}

// Can implements [harness.Target].
func (*Target) Can() []harness.Capability {
	return []harness.Capability{harness.KV, harness.CAS, harness.Leader}
}

// Ready implements [harness.Target].
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	return harness.KnowsLeader(ctx, t, n)
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (*Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return kvhttp.NewClient(n.Addr(portClient)), nil
}

// Status implements [harness.Reporter].
func (*Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	c := kvhttp.NewClient(n.Addr(portClient))
	defer c.Close()
	var s Status
	code, err := c.Do(ctx, http.MethodGet, "/status", nil, &s)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("status: %d", code)
	}
	return history.Status{Role: s.Role, Term: s.Term, Leader: s.Leader, Applied: s.Applied, Hash: s.Hash}, err
}

// leadsLine is what a member logs when it begins to lead.
const leadsLine = "became leader"

// Claim implements [harness.Witness].
func (*Target) Claim(line []byte) (term uint64, ok bool) {
	if !bytes.Contains(line, []byte(leadsLine)) {
		return 0, false
	}
	var said struct {
		Msg  string
		Term uint64
	}
	if json.Unmarshal(line, &said) != nil || said.Msg != leadsLine {
		return 0, false
	}
	return said.Term, true
}

// Command is a member as the flags of its command describe it.
type Command struct {
	config Config
	peers  string
	seed   uint64
}

// Options declares the flags of a member.
func Options(f *flag.FlagSet) *Command {
	c := &Command{config: Config{Tick: TickTime, RequestTimeout: 2 * time.Second}}
	f.StringVar(&c.config.ID, "id", "", "this member: n1, n2, ...")
	f.StringVar(&c.peers, "peers", "", "all members, as n1=host:port,n2=host:port,...; this one listens on its own")
	f.StringVar(&c.config.Client, "client", "", "where to listen for clients")
	f.StringVar(&c.config.Dir, "dir", "", "data directory")
	f.Uint64Var(&c.seed, "seed", 0, "seed of what is drawn, such as timeouts")
	return c
}

// Begin makes the core of a member, which begins, or begins again with what it remembers.
type Begin func(id string, members []string, seed uint64, remembered json.RawMessage) (Core, error)

// Role is the command by which sunder is a member of a protocol, whose core begins as declare says, which may declare
// flags of its own.
func Role(name, protocol string, declare func(*flag.FlagSet) func() (Begin, error)) *harness.Role {
	return &harness.Role{
		Name: name, About: "Run one member of " + protocol,
		Help: `'sunder run' starts such members itself; by hand it is useful to look at
one. The client API is HTTP and JSON: GET and PUT /kv/{key}, POST /kv/{key}/cas, GET /status.`,
		Example: "  sunder " + name + ` --id n1 --peers n1=127.0.0.1:7001 --client 127.0.0.1:8001 --dir /tmp
  curl -X PUT -d '{"value": "1"}' http://127.0.0.1:8001/kv/x`,
		New: func(flags *flag.FlagSet) func([]string) (harness.Serve, error) {
			c, begin := Options(flags), declare(flags)
			return func([]string) (harness.Serve, error) {
				b, err := begin()
				return func(ctx context.Context, _, log io.Writer) error { return c.Serve(ctx, b, log) }, err
			}
		},
	}
}

// Serve runs a member until ctx ends, or the controller that started it. It logs to say.
func (c *Command) Serve(ctx context.Context, begin Begin, say io.Writer) error {
	config := c.config
	config.Peers = map[string]string{}
	var names []string
	for peer := range strings.SplitSeq(c.peers, ",") {
		name, addr, ok := strings.Cut(peer, "=")
		if !ok {
			return fmt.Errorf("--peers: %q is not of the form n1=host:port", peer)
		}
		config.Peers[name] = addr
		names = append(names, name)
	}
	if _, ok := config.Peers[config.ID]; !ok {
		return fmt.Errorf("--id: %q is none of --peers", cmp.Or(config.ID, "nobody"))
	}
	remembered, err := Remembered(config.Dir)
	if err != nil {
		return err
	}
	core, err := begin(config.ID, names, c.seed, remembered)
	if err != nil {
		return fmt.Errorf("what %s remembers: %w", config.ID, err)
	}
	if ctx, err = harness.Watchdog(ctx); err != nil {
		return err
	}
	return Serve(ctx, config, core, slog.New(slog.NewJSONHandler(say, nil)))
}
