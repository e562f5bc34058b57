// Package etcd is etcd as a target, versions 3.4 to 3.7: how to launch a member, and a client that
// talks to one member and never tries again.
package etcd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/programs"
)

// The ports of a member.
const (
	portPeer   = "peer"
	portClient = "client"
)

// program is where the official images, and ours, have etcd.
const program = "/usr/local/bin/etcd"

// DefaultVersion is what is tested if no version is named.
const DefaultVersion = "v3.6.16"

// Recipe says how a version of the server is built.
func Recipe(version string) programs.Recipe {
	return programs.Recipe{
		Name: "etcd", Version: version, Module: "go.etcd.io/etcd/server/v3", Package: "go.etcd.io/etcd/server/v3",
		Path: program,
	}
}

// Entry is etcd in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About:   "etcd 3.4 to 3.7: etcd, or etcd@v3.5.35",
		Version: DefaultVersion,
		Image:   func(version string) string { return "gcr.io/etcd-development/etcd:" + version },
		Recipe:  Recipe,
		Shell: func(clients []string) string {
			return "etcdctl --endpoints=" + strings.Join(clients, ",") + " endpoint status"
		},
		Draw: draw,
		New: func(flags *flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			serializable := flags.Bool("serializable", false,
				"read from the state of the node that is asked, which may be stale")
			return func(c harness.TargetConfig) (harness.Target, error) {
				t, err := New(c.Version, *serializable, c.Arguments("--"))
				if err != nil {
					return nil, err
				}
				return t, t.mix(c.OtherVersions)
			}
		},
	}
}

// draw draws timeouts that etcd documents as sane (an election of 5 to 50 heartbeats), and how often members take
// snapshots: often enough that one which was down needs one, or hardly ever.
func draw(r *rand.Rand) map[string]string {
	heartbeat := []int{30, 50, 100}[r.IntN(3)]
	return map[string]string{
		"heartbeat-interval": strconv.Itoa(heartbeat),
		"election-timeout":   strconv.Itoa(heartbeat * []int{6, 10}[r.IntN(2)]),
		"snapshot-count":     []string{"100", "1000", "10000"}[r.IntN(3)],
	}
}

// Target launches members of an etcd cluster.
type Target struct {
	// Version of the server, such as "v3.6.16"; it decides which flags there are.
	Version string
	// Serializable lets reads be answered from the state of the member that is asked, whether it
	// is up to date or not. That is etcd's documented trade of consistency for speed.
	Serializable bool
	// Others are versions that members may be restarted as.
	Others []string
	// Flags are passed to etcd, beside what the placement says; the last one of a name counts.
	Flags []string

	mu      sync.Mutex
	members map[uint64]string           // by id, as far as is known
	conns   map[string]*grpc.ClientConn // for questions about members, by address
}

// New returns a target that launches a version of etcd that it knows the flags of.
func New(version string, serializable bool, flags []string) (*Target, error) {
	if _, err := parse(version); err != nil {
		return nil, err
	}
	return &Target{
		Version: version, Serializable: serializable, Flags: flags,
		members: map[uint64]string{}, conns: map[string]*grpc.ClientConn{},
	}, nil
}

// Caveat implements [harness.Caveater].
func (t *Target) Caveat() string {
	if t.Serializable {
		return "etcd documents that serializable reads may be stale"
	}
	return ""
}

// How members are set; a flag of the user's comes later and wins.
const (
	heartbeatMs = 100
	electionMs  = 1000
)

// Timing implements [harness.Timed].
func (t *Target) Timing() history.Timing {
	timing := history.Timing{Heartbeat: heartbeatMs * time.Millisecond, Election: electionMs * time.Millisecond}
	for _, flag := range t.Flags {
		name, value, _ := strings.Cut(flag, "=")
		ms, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case name == "--heartbeat-interval":
			timing.Heartbeat = time.Duration(ms) * time.Millisecond
		case name == "--election-timeout":
			timing.Election = time.Duration(ms) * time.Millisecond
		}
	}
	return timing
}

// Ports implements [harness.Target].
func (t *Target) Ports() []string { return []string{portPeer, portClient} }

// Snapshots come every so many entries, and so many are kept behind one, so that a member that was
// down for a second or two is sent a snapshot.
const (
	snapshotCount  = 1000
	catchUpEntries = 500
)

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	var cluster []string
	var self harness.Member
	for _, m := range p.Members {
		cluster = append(cluster, m.Name+"="+peerURL(m))
		if m.Name == p.Node {
			self = m
		}
	}
	state := "new"
	if p.Joins {
		state = "existing"
	}
	command := []string{
		cmp.Or(p.Program, program),
		"--name=" + p.Node,
		"--data-dir=" + p.DataDir + "/etcd",
		"--logger=zap",
		"--log-outputs=stderr",
		"--listen-peer-urls=" + peerURL(self),
		"--initial-advertise-peer-urls=" + peerURL(self),
		"--listen-client-urls=http://" + self.Addr[portClient],
		"--advertise-client-urls=http://" + self.Addr[portClient],
		"--initial-cluster=" + strings.Join(cluster, ","),
		"--initial-cluster-state=" + state,
		"--initial-cluster-token=sunder",
		"--heartbeat-interval=" + strconv.Itoa(
			heartbeatMs,
		),
		"--election-timeout=" + strconv.Itoa(electionMs),
		"--snapshot-count=" + strconv.Itoa(snapshotCount),
	}
	v, _ := parse(cmp.Or(p.Version, t.Version)) // New and mix have checked them
	command = append(command, versionFlags(v)...)
	return harness.NodeSpec{Name: p.Node, Command: append(command, t.Flags...), DataDir: p.DataDir}
}

// versionFlags are the flags that not all versions have, or have under the same name. A check of the
// initial state is not asked for, although there is one: a member that finds itself diverged would end
// before anybody could see in what, and members that restart together wait for each other's answers.
func versionFlags(v version) []string {
	catchUp := strconv.Itoa(catchUpEntries)
	switch {
	case v.minor <= 4:
		return []string{"--pre-vote=true"} // the default from 3.5 on; how much is kept is fixed
	case v.minor == 5 && v.patch < 14:
		return nil // how much is kept is fixed
	case v.minor == 5:
		return []string{"--experimental-snapshot-catchup-entries=" + catchUp}
	default: // renamed; 3.7 has removed the old name
		return []string{"--snapshot-catchup-entries=" + catchUp}
	}
}

// version is the 6 and the 5 of v3.6.5.
type version struct{ minor, patch int }

// The minor versions whose flags are known.
const (
	oldest = 4
	newest = 7
)

var versionForm = regexp.MustCompile(`^v3\.(\d{1,2})\.(\d{1,4})(-[0-9A-Za-z.-]+)?$`)

func parse(text string) (v version, err error) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return v, fmt.Errorf("etcd has no version %q; one is written like %s", text, DefaultVersion)
	}
	v.minor, _ = strconv.Atoi(m[1]) // digits, and few of them
	v.patch, _ = strconv.Atoi(m[2])
	if v.minor < oldest || v.minor > newest {
		return v, fmt.Errorf("etcd %s: versions 3.%d to 3.%d are known here", text, oldest, newest)
	}
	return v, nil
}

// became is what the raft of a member logs when it has won an election.
var became = regexp.MustCompile(`^[0-9a-f]+ became leader at term (\d+)$`)

// Claim implements [harness.Witness].
func (t *Target) Claim(line []byte) (term uint64, ok bool) {
	if !bytes.Contains(line, []byte("became leader at term")) {
		return 0, false
	}
	var said struct{ Msg string }
	if json.Unmarshal(line, &said) != nil {
		return 0, false
	}
	m := became.FindStringSubmatch(said.Msg)
	if m == nil {
		return 0, false
	}
	term, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return 0, false
	}
	return term, true
}

// tells are what the raft of a member, or what carries its messages, logs of elections and snapshots (raft/raft.go,
// rafthttp/snapshot_sender.go). The part in parentheses, if there is one, is the term.
var tells = []struct {
	what string
	text *regexp.Regexp
}{
	{history.ToldCandidate, regexp.MustCompile(`^[0-9a-f]+ became candidate at term (\d+)$`)},
	{history.ToldFollower, regexp.MustCompile(`^[0-9a-f]+ became follower at term (\d+)$`)},
	{history.ToldVote, regexp.MustCompile(`^[0-9a-f]+ \[.*\] cast MsgVote for [0-9a-f]+ \[.*\] at term (\d+)$`)},
	{history.ToldSendsSnapshot, regexp.MustCompile(`^sending database snapshot$`)},
	{
		history.ToldInstalledSnapshot,
		regexp.MustCompile(`^[0-9a-f]+ \[.*\] restored snapshot \[index: \d+, term: (\d+)\]$`),
	},
}

// Tells implements [harness.Teller].
func (t *Target) Tells() (all []string) {
	for _, one := range tells {
		all = append(all, one.what)
	}
	return all
}

// Tell implements [harness.Teller].
func (t *Target) Tell(line []byte) (told history.Told, ok bool) {
	var said struct{ Msg string }
	if json.Unmarshal(line, &said) != nil {
		return told, false
	}
	for _, one := range tells {
		m := one.text.FindStringSubmatch(said.Msg)
		if m == nil {
			continue
		}
		told.What = one.what
		if len(m) > 1 {
			told.Term, _ = strconv.ParseUint(m[1], 10, 64) // digits; one that is too long is none
		}
		return told, true
	}
	return told, false
}

// Can implements [harness.Target].
func (t *Target) Can() []harness.Capability {
	can := []harness.Capability{
		harness.KV, harness.CAS, harness.Lock, harness.Lease, harness.Leader, harness.MoveLeader, harness.Defragment,
		harness.SaveSnapshot,
		harness.Compact,
	}
	if v, err := parse(t.Version); err == nil && v.minor > 4 { // where a quorum says who is a member
		can = append(can, harness.ReplaceMember)
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

// Status implements [harness.Reporter]. The answer is vague: etcd says who leads as soon as it knows,
// and of the term that of the last entry that it has applied (server.go: setTerm in apply). One that was
// just elected says for a while that it leads the term before.
func (t *Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	c, err := t.asking(n)
	if err != nil {
		return history.Status{}, err
	}
	s, err := c.Status(ctx, &etcdserverpb.StatusRequest{})
	if err != nil {
		return history.Status{}, err
	}
	self := s.Header.MemberId
	status := history.Status{
		Role: "follower", Vague: true, Term: s.RaftTerm, Leader: t.name(self, n.Name(), s.Leader),
		Commit: s.RaftIndex, Applied: s.RaftAppliedIndex,
	}
	switch {
	case s.IsLearner:
		status.Role = "learner"
	case s.Leader == self:
		status.Role = "leader"
	}
	return status, nil
}

// name learns the name of a member by its id and returns the name of another one: an id until it has
// been asked itself, and empty if there is none.
func (t *Target) name(self uint64, name string, other uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members[self] = name
	switch known, ok := t.members[other]; {
	case ok:
		return known
	case other == 0:
		return ""
	default:
		return strconv.FormatUint(other, 16)
	}
}

// asking returns what answers questions about a member.
func (t *Target) asking(n harness.Node) (etcdserverpb.MaintenanceClient, error) {
	c, err := t.conn(n)
	return etcdserverpb.NewMaintenanceClient(c), err
}

// conn returns the connection for questions about a member: one for the whole run.
func (t *Target) conn(n harness.Node) (*grpc.ClientConn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	addr := n.Addr(portClient)
	c, ok := t.conns[addr]
	if !ok {
		var err error
		if c, err = dial(addr); err != nil {
			return nil, err
		}
		t.conns[addr] = c
	}
	return c, nil
}

// Hash implements [harness.Hasher] by the hash of all keys and their history up to a revision.
func (t *Target) Hash(ctx context.Context, n harness.Node, revision uint64) (history.Hash, error) {
	c, err := t.asking(n)
	if err != nil {
		return history.Hash{}, err
	}
	if revision == 0 {
		s, err := c.Status(ctx, &etcdserverpb.StatusRequest{})
		if err != nil {
			return history.Hash{}, err
		}
		revision = uint64(s.Header.Revision)
	}
	h, err := c.HashKV(ctx, &etcdserverpb.HashKVRequest{Revision: int64(revision)})
	if err != nil {
		return history.Hash{}, err
	}
	// The hash is of what was not compacted, so it says something only beside another of the same part.
	return history.Hash{Revision: revision, Since: h.CompactRevision, Sum: fmt.Sprintf("%08x", h.Hash)}, nil
}

// HashesPast implements [harness.PastHasher]: HashKV takes any revision that is not compacted.
func (t *Target) HashesPast() bool { return true }

// Close ends the connections that members were asked on.
func (t *Target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for addr, c := range t.conns {
		errs = append(errs, c.Close())
		delete(t.conns, addr)
	}
	return errors.Join(errs...)
}
