// Package consul is Consul's key-value store as a target: how to launch a server, and a client that
// talks to one server and never tries again.
package consul

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/semver"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/programs"
)

// The ports of a server. Gossip needs UDP as well as TCP.
const (
	portRPC    = "rpc"
	portGossip = "gossip"
	portHTTP   = "http"
)

// program is where the official images, and ours, have Consul.
const program = "/bin/consul"

// DefaultVersion is what is tested if no version is named.
const DefaultVersion = "v1.21.0"

// oldest is the first version that can be tested.
const oldest = "v1.16.0"

// Entry is Consul in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About:   "Consul's key-value store: consul, or consul@v1.16.3",
		Version: DefaultVersion,
		Image:   func(version string) string { return "hashicorp/consul:" + strings.TrimPrefix(version, "v") },
		Recipe:  Recipe,
		Shell:   func(clients []string) string { return "consul kv get -recurse -http-addr=http://" + clients[0] },
		New: func(flags *flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			consistency := flags.String("consistency", "",
				"consistency of reads: consistent, default or stale (default consistent)")
			return func(c harness.TargetConfig) (harness.Target, error) {
				t, err := New(c.Version, Consistency(*consistency), c.Arguments("-"))
				if err != nil {
					return nil, err
				}
				for _, other := range c.OtherVersions {
					if err := checkVersion(other); err != nil {
						return nil, err
					}
				}
				t.Others = c.OtherVersions
				return t, nil
			}
		},
	}
}

// Recipe says how a version of the server is built.
func Recipe(version string) programs.Recipe {
	r := programs.Recipe{
		Name: "consul", Version: version, Module: "github.com/hashicorp/consul", Package: "github.com/hashicorp/consul",
		Path: program,
		// Its go.mod replaces this one, and has a requirement that nobody else can resolve.
		Replace: map[string]string{"github.com/hashicorp/consul-awsauth": "v0.0.0-20220713182709-05ac1c5c2706"},
	}
	if semver.Compare(version, "v1.16.3") > 0 {
		r.Licence = "Business Source License 1.1: fine for testing; do not pass the image on (1.16.3 and before are MPL-2.0)"
	}
	return r
}

// Consistency is that of reads, by the names of Consul's documentation.
type Consistency string

// The consistencies of reads.
const (
	// Consistent reads are linearizable: the leader makes sure that it still leads.
	Consistent Consistency = "consistent"
	// Default reads trust the leader's lease. They may be stale while leadership changes.
	Default Consistency = "default"
	// Stale reads are answered from the state of the server that is asked.
	Stale Consistency = "stale"
)

// Target launches servers of a Consul cluster.
type Target struct {
	Consistency Consistency
	// LockDelay is for how long nobody can acquire a lock whose session was lost.
	LockDelay time.Duration
	// Others are versions that servers may be restarted as.
	Others []string
	// Flags are passed to the agent, beside what the placement says.
	Flags []string

	status *http.Client

	mu    sync.Mutex
	names map[string]string // of servers, by the address that Raft knows them by, as far as is known
	// removed are the ids of servers that were removed, by the node's name.
	removed map[string]string
}

// New returns a target with the given consistency of reads; empty is [Consistent].
func New(version string, c Consistency, flags []string) (*Target, error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	switch c {
	case "":
		c = Consistent
	case Consistent, Default, Stale:
	default:
		return nil, fmt.Errorf("consul has no consistency %q; known are %s, %s, %s", c, Consistent, Default, Stale)
	}
	return &Target{
		Consistency: c, LockDelay: DefaultLockDelay, Flags: flags, status: newHTTP(), names: map[string]string{}, removed: map[string]string{},
	}, nil
}

// checkVersion says why a version cannot be tested.
func checkVersion(version string) error {
	switch {
	case semver.Canonical(version) != version || !semver.IsValid(version):
		return fmt.Errorf("consul has no version %q; one is written like %s", version, DefaultVersion)
	case semver.Compare(version, oldest) < 0:
		return fmt.Errorf("consul %s: versions before %s do not log the term in which an election was won", version, oldest)
	}
	return nil
}

// Close ends the connections that servers were asked on.
func (t *Target) Close() error {
	t.status.CloseIdleConnections()
	return nil
}

// Caveat implements [harness.Caveater].
func (t *Target) Caveat() string {
	switch t.Consistency {
	case Stale:
		return "Consul documents that stale reads may be stale"
	case Default:
		return "Consul documents that default reads may be stale while leadership changes"
	default:
		return ""
	}
}

// Timing implements [harness.Timed]. With a raft_multiplier of 1, a server holds the leader for lost after a second to
// two without a heartbeat (raft v1.7.0 config.go, HeartbeatTimeout), and heartbeats are a tenth to a fifth of it apart
// (replication.go:397). Flags may say something else; then it is not known.
func (t *Target) Timing() history.Timing {
	for _, flag := range t.Flags {
		if strings.Contains(flag, "raft") || strings.HasPrefix(strings.TrimLeft(flag, "-"), "config") {
			return history.Timing{}
		}
	}
	return history.Timing{Heartbeat: 200 * time.Millisecond, Election: time.Second}
}

// Ports implements [harness.Target].
func (t *Target) Ports() []string { return []string{portRPC, portGossip, portHTTP} }

// settings let a cluster survive that several servers are down at a time, take snapshots in a short
// run, and elect as fast as Consul can. With dead servers cleaned up by autopilot, rolling kills can lose the
// quorum for good (consul issue 8118).
const settings = `
performance { raft_multiplier = 1 }
autopilot {
  cleanup_dead_servers = false
  server_stabilization_time = "1s"
  last_contact_threshold = "10s"
}
raft_snapshot_threshold = 1000
raft_snapshot_interval = "2s"
raft_trailing_logs = 500
session_ttl_min = "1s"
limits {
  http_max_conns_per_client = 2000
  rpc_max_conns_per_client = 2000
}
connect { enabled = false }
disable_update_check = true
leave_on_terminate = false
skip_leave_on_interrupt = true
retry_interval = "1s"
`

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	command := []string{
		cmp.Or(p.Program, program),
		"agent",
		"-server",
		"-node=" + p.Node,
		"-node-id=" + nodeID(p.Node, p.Incarnation),
		"-disable-host-node-id",
		"-data-dir=" + p.DataDir + "/consul",
		"-log-json",
		"-hcl=" + settings,
	}
	if !p.Joins {
		command = append(command, "-bootstrap-expect="+strconv.Itoa(len(p.Members)))
	}
	for _, m := range p.Members {
		if m.Name == p.Node {
			host := hostOf(m.Addr[portRPC])
			command = append(command, "-bind="+host, "-client="+host, "-hcl="+ports(m))
		}
		command = append(command, "-retry-join="+m.Addr[portGossip])
	}
	return harness.NodeSpec{Name: p.Node, Command: append(command, t.Flags...), DataDir: p.DataDir}
}

// nodeID is an identity that stays: without one, a server whose data is younger than its peers' memory
// is refused for a conflict (consul issue 7396). A new member in its place has another: what is asked of the one that
// was removed must not be done to it.
func nodeID(name string, incarnation int) string {
	if incarnation > 0 {
		name = fmt.Sprint(name, "/", incarnation)
	}
	sum := sha256.Sum256([]byte(name))
	h := hex.EncodeToString(sum[:])
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[0:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr) // what a fleet gives is an address
	return host
}

func ports(m harness.Member) string {
	number := func(port string) string {
		_, n, _ := net.SplitHostPort(m.Addr[port])
		return n
	}
	return fmt.Sprintf(
		"ports { server = %s\n serf_lan = %s\n http = %s\n serf_wan = -1\n dns = -1\n grpc = -1\n grpc_tls = -1 }",
		number(portRPC),
		number(portGossip),
		number(portHTTP),
	)
}

// Claim implements [harness.Witness].
func (t *Target) Claim(line []byte) (term uint64, ok bool) {
	if !bytes.Contains(line, []byte(`"election won"`)) {
		return 0, false
	}
	var said struct {
		Message string `json:"@message"`
		Module  string `json:"@module"`
		Term    uint64 `json:"term"`
	}
	if json.Unmarshal(line, &said) != nil || said.Message != "election won" || said.Term == 0 ||
		!strings.HasSuffix(said.Module, ".raft") {
		return 0, false
	}
	return said.Term, true
}

// tells are what hashicorp/raft logs of elections and snapshots (raft.go; in lower case since v1.3).
var tells = map[string]string{
	"entering candidate state":  history.ToldCandidate,
	"entering follower state":   history.ToldFollower,
	"installed remote snapshot": history.ToldInstalledSnapshot,
}

// Tells implements [harness.Teller].
func (t *Target) Tells() []string { return slices.Sorted(maps.Values(tells)) }

// Tell implements [harness.Teller]. Who votes for whom, hashicorp/raft does not log.
func (t *Target) Tell(line []byte) (told history.Told, ok bool) {
	var said struct {
		Message string `json:"@message"`
		Module  string `json:"@module"`
		Term    uint64 `json:"term"`
	}
	if json.Unmarshal(line, &said) != nil || !strings.HasSuffix(said.Module, ".raft") {
		return told, false
	}
	told = history.Told{What: tells[strings.ToLower(said.Message)], Term: said.Term}
	return told, told.What != ""
}

// self is what an agent says of itself, as far as it matters here.
type self struct {
	Config struct{ Version string }
	Member struct {
		Addr string
		Tags struct{ Port string }
	}
	Stats struct {
		Consul struct {
			LeaderAddr string `json:"leader_addr"`
		}
		Raft struct {
			State        string
			Term         string
			CommitIndex  string `json:"commit_index"`
			AppliedIndex string `json:"applied_index"`
		}
	}
}

// Can implements [harness.Target].
func (t *Target) Can() []harness.Capability {
	can := []harness.Capability{
		harness.KV, harness.CAS, harness.Lock, harness.Lease, harness.Leader, harness.MoveLeader, harness.SaveSnapshot,
		harness.ReplaceMember,
	}
	if len(t.Others) > 0 {
		can = append(can, harness.MixVersions)
	}
	return can
}

// Needs implements [harness.Needer]: members tell each other where they are, so that each has one address for all.
func (t *Target) Needs() []harness.Capability {
	needs := []harness.Capability{harness.NodeAddress, harness.NodeProgram}
	if len(t.Others) > 0 {
		needs = append(needs, harness.NodeRelaunch)
	}
	return needs
}

// Checkers implements [harness.Judged].
func (t *Target) Checkers() []string { return []string{"state", "leader"} }

// Ready implements [harness.Target].
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	return harness.KnowsLeader(ctx, t, n)
}

// Status implements [harness.Reporter]. The answer is vague: Raft's Stats reads state and term one after
// the other, so a leader that steps down in between says that it leads the term of its successor.
func (t *Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	var s self
	if _, err := get(ctx, t.status, n.Addr(portHTTP), "/v1/agent/self", &s); err != nil {
		return history.Status{}, err
	}
	status := history.Status{Role: strings.ToLower(s.Stats.Raft.State), Vague: true}
	for _, number := range []struct {
		text string
		to   *uint64
	}{{s.Stats.Raft.Term, &status.Term}, {s.Stats.Raft.CommitIndex, &status.Commit}, {s.Stats.Raft.AppliedIndex, &status.Applied}} {
		var err error
		if *number.to, err = strconv.ParseUint(number.text, 10, 64); err != nil {
			return history.Status{}, fmt.Errorf("raft's stats: %w", err)
		}
	}
	status.Leader = t.name(net.JoinHostPort(s.Member.Addr, s.Member.Tags.Port), n.Name(), s.Stats.Consul.LeaderAddr)
	return status, nil
}

// VersionOf implements [harness.VersionTeller].
func (t *Target) VersionOf(ctx context.Context, n harness.Node) (string, error) {
	var s self
	_, err := get(ctx, t.status, n.Addr(portHTTP), "/v1/agent/self", &s)
	return "v" + s.Config.Version, err
}

// name learns the name of a server by its address and returns that of another one: the address until
// it has been asked itself, and empty if there is none.
func (t *Target) name(self, name, other string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[self] = name
	if known, ok := t.names[other]; ok {
		return known
	}
	return other
}

// Hash implements [harness.Hasher] by a hash of all keys, with their indices, as the server itself has
// them now. Consul cannot tell of the past.
func (t *Target) Hash(ctx context.Context, n harness.Node, _ uint64) (history.Hash, error) {
	var entries []entry
	index, err := get(ctx, t.status, n.Addr(portHTTP), "/v1/kv/?recurse&stale", &entries)
	if err != nil {
		return history.Hash{}, err
	}
	// A server that has heard nothing from the leader since it started answers with what the leader says.
	var s self
	if _, err := get(ctx, t.status, n.Addr(portHTTP), "/v1/agent/self", &s); err != nil {
		return history.Hash{}, err
	}
	if applied, err := strconv.ParseUint(s.Stats.Raft.AppliedIndex, 10, 64); err != nil || applied < index {
		return history.Hash{}, fmt.Errorf(
			"the state at index %d is not that of the server itself, which has applied %q",
			index,
			s.Stats.Raft.AppliedIndex,
		)
	}
	h := sha256.New()
	for _, e := range entries { // in the order of the keys
		fmt.Fprintf(h, "%q %d %d %q\n", e.Key, e.CreateIndex, e.ModifyIndex, e.Value)
	}
	return history.Hash{Revision: index, Sum: fmt.Sprintf("%x of %d keys", h.Sum(nil)[:8], len(entries))}, nil
}
