// Package harnesstest is a cluster that exists only in memory: a target and a fleet in one, on
// which everything that the harness does can be tested without processes, and within a
// testing/synctest bubble without waiting either. Mistakes can be planted in it.
package harnesstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Mistakes can be planted in a fake cluster; the zero value has none.
type Mistakes struct {
	StaleReads  bool // reads return the value before the last one
	LoseWrites  bool // every tenth write is acknowledged and forgotten
	TwoLeaders  bool // every node claims every term
	BlindCuts   bool // cutting a link does nothing
	LeakyCuts   bool // something passes cut links all the same
	NoCounters  bool // what passes links cannot be read
	NewCounters bool // what has passed links is forgotten by the second look at a cut one
	Inert       bool // nothing that is done to nodes or links has any effect
	NeverPauses bool // pausing a node does nothing, and says so
	Meddled     bool // somebody else has laid hands on the nodes
	StuckHeals  bool // mending a link fails
	NoRecovery  bool // a node that was killed never answers again
	LaunchFails bool
	Exits       bool // n1 ends by itself after a second
	NeverServes bool // no node ever leads
	SilentAgain bool // nodes that are started again do not say that they serve
	Diverged    bool // the last node's state has another hash
	// TurnedAway is how often nodes that join end at once.
	TurnedAway int
	// WrongVersion: nodes that are restarted as another version say that they are v1.
	WrongVersion bool
	// DivergedAt is the revision from which on the last node's state has another hash, until HealedAt, when a snapshot
	// mends it; 0 is never.
	DivergedAt, HealedAt uint64
	// Stalls is for how many probes of a link's delay the machine stands still for a second each, from the first on.
	Stalls int
	// SlowToElect is for how long nobody leads after a link was mended.
	SlowToElect time.Duration
}

// Fake is a cluster in memory. Its nodes share one map, which those can use that are in contact
// with a majority; the first of them in order leads.
type Fake struct {
	Mistakes Mistakes
	// Claims makes leaders say so in their logs.
	Claims bool
	// Announcing makes nodes say in their logs that they serve, a second after they were started.
	Announcing bool

	mu      sync.Mutex
	names   []string
	nodes   map[string]*node
	cut     map[harness.Link]bool
	state   map[harness.Link]harness.Impairment
	dropped map[harness.Link]uint64
	passed  map[harness.Link]uint64
	values  map[string][]string // all values of a key, the last one last
	writes  int
	term    uint64
	leader  string
	calm    time.Time // nobody leads before
	Closed  bool

	beside   []string
	outside  map[string]string // how nodes that are no members stand to the cluster
	launched []harness.NodeSpec
}

// New returns a fake cluster with the given mistakes.
func New(m Mistakes) *Fake {
	return &Fake{
		Mistakes: m,
		Claims:   true,
		nodes:    map[string]*node{},
		cut:      map[harness.Link]bool{},
		state:    map[harness.Link]harness.Impairment{},
		dropped:  map[harness.Link]uint64{},
		passed:   map[harness.Link]uint64{},
		values:   map[string][]string{},
		outside:  map[string]string{},
	}
}

// Ports implements [harness.Target].
func (f *Fake) Ports() []string { return []string{"peer", "client"} }

// Spec implements [harness.Target].
func (f *Fake) Spec(p harness.Placement) harness.NodeSpec {
	s := harness.NodeSpec{Name: p.Node, Env: []string{p.Version}}
	if p.Joins {
		s.Command = []string{"joins"}
	}
	return s
}

// Plan implements [harness.Fleet].
func (f *Fake) Plan(_ context.Context, nodes, _ []string) error {
	f.names = slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(f.beside, n) })
	return nil
}

// PlanBeside implements [harness.Beside]: companions are no members.
func (f *Fake) PlanBeside(companions []string) { f.beside = companions }

// Print lets a node, or a companion, print a line.
func (f *Fake) Print(node, line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.nodes[node].log, line)
}

// Placement implements [harness.Fleet].
func (f *Fake) Placement(node string) harness.Placement {
	p := harness.Placement{Node: node, DataDir: "/" + node}
	for _, name := range slices.Concat(f.names, f.beside) {
		p.Members = append(p.Members, harness.Member{Name: name, Addr: map[string]string{
			"peer": name + ":peer", "client": name + ":client",
		}})
	}
	return p
}

// Launch implements [harness.Fleet].
func (f *Fake) Launch(_ context.Context, s harness.NodeSpec, log io.Writer) (harness.Node, error) {
	if f.Mistakes.LaunchFails {
		return nil, errors.New("out of paper")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Closed {
		return nil, errors.New("the fleet is closed")
	}
	n := &node{fake: f, name: s.Name, log: log, exited: make(chan struct{})}
	f.nodes[s.Name] = n
	if f.Mistakes.Exits && s.Name == "n1" {
		exited := n.exited
		time.AfterFunc(time.Second, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if !n.killed {
				n.killed = true
				close(exited)
			}
		})
	}
	n.announce()
	return n, nil
}

// Shape implements [harness.Shaper].
func (f *Fake) Shape(_ context.Context, links map[harness.Link]harness.Impairment) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Mistakes.Inert {
		return nil
	}
	for l, i := range links {
		if !i.Drop && f.Mistakes.StuckHeals {
			return errors.New("the scissors are stuck")
		}
		if i == (harness.Impairment{}) && f.Mistakes.SlowToElect > 0 {
			f.calm = time.Now().Add(f.Mistakes.SlowToElect)
		}
		f.cut[l] = (i.Drop || i.Loss > 0) && !f.Mistakes.BlindCuts
		f.state[l] = i
	}
	return nil
}

// Reopen lets a closed fleet launch nodes again, which no fleet may.
func (f *Fake) Reopen() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Closed = false
}

// Leave takes nodes out of the cluster for good: they are no part of any majority, and answer nobody.
func (f *Fake) Leave(nodes ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = slices.DeleteFunc(slices.Clone(f.names), func(n string) bool { return slices.Contains(nodes, n) })
	for _, name := range nodes {
		f.nodes[name].broken = true
	}
}

// Delays implements [harness.Timer]: a message takes no longer than its link is late.
func (f *Fake) Delays(_ context.Context, links []harness.Link) (map[harness.Link]time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	took := make(map[harness.Link]time.Duration, len(links))
	stall := time.Duration(0)
	if f.Mistakes.Stalls > 0 {
		f.Mistakes.Stalls--
		stall = time.Second
	}
	for _, l := range links {
		if !f.state[l].Drop {
			took[l] = f.state[l].Delay + stall
		}
	}
	return took, nil
}

// State returns what is wrong with a link.
func (f *Fake) State(l harness.Link) harness.Impairment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state[l]
}

// Wiped returns the dead nodes without anything on their disks.
func (f *Fake) Wiped() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.names), func(name string) bool {
		return !f.nodes[name].wiped || !f.nodes[name].killed
	})
}

// Unplugged returns the nodes without a network.
func (f *Fake) Unplugged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.names), func(name string) bool { return !f.nodes[name].unplugged })
}

// Cut reports whether a link is cut.
func (f *Fake) Cut(l harness.Link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut[l]
}

// Traffic implements [harness.Shaper]: nodes that run send all the time.
func (f *Fake) Traffic(_ context.Context, links []harness.Link) (map[harness.Link]harness.Traffic, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Mistakes.NoCounters {
		return nil, errors.New("the counters are gone")
	}
	seen := make(map[harness.Link]harness.Traffic, len(links))
	for _, l := range links {
		from, to := f.nodes[l.From], f.nodes[l.To]
		sends := l.From == history.Clients || from != nil && !from.killed && !from.paused && !from.unplugged
		if sends && (l.To == history.Clients || !to.unplugged) {
			if f.cut[l] {
				f.dropped[l]++
			}
			if !f.cut[l] || f.state[l].Loss > 0 && !f.state[l].Drop {
				f.passed[l]++
			}
		}
		if f.cut[l] && f.Mistakes.LeakyCuts {
			f.passed[l]++
		}
		if f.cut[l] && f.Mistakes.NewCounters && f.dropped[l] > 1 {
			f.dropped[l] = 0
		}
		t := harness.Traffic{Passed: f.passed[l], Dropped: f.dropped[l]}
		for _, c := range []struct {
			count *uint64
			bad   bool
		}{
			{&t.Queued, f.state[l].Rate > 0}, {&t.Overtaken, f.state[l].Reorder > 0},
			{&t.Duplicated, f.state[l].Duplicate > 0}, {&t.Corrupted, f.state[l].Corrupt > 0},
		} {
			if c.bad {
				*c.count = f.passed[l]
			}
		}
		seen[l] = t
	}
	return seen, nil
}

// Close implements [harness.Fleet].
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Closed = true
	for _, n := range f.nodes {
		if !n.killed {
			n.killed = true
			close(n.exited)
		}
	}
	return nil
}

// serves reports whether a node runs and is in contact, both ways, with a majority; the caller
// holds mu.
func (f *Fake) serves(name string) bool {
	reach := 0
	for _, other := range f.names {
		n := f.nodes[other]
		if n != nil && !n.killed && !n.paused && !n.broken && !n.unplugged &&
			!f.cut[harness.Link{From: name, To: other}] && !f.cut[harness.Link{From: other, To: name}] {
			reach++
		}
	}
	n := f.nodes[name]
	return n != nil && !n.killed && !n.paused && !n.broken && !n.unplugged && !f.Mistakes.NeverServes &&
		!time.Now().Before(f.calm) &&
		reach > len(f.names)/2
}

// elect finds out who leads now; the caller holds mu.
func (f *Fake) elect() {
	if f.leader != "" && f.serves(f.leader) {
		return
	}
	f.leader = ""
	for _, name := range f.names {
		if f.serves(name) {
			f.lead(name)
			return
		}
	}
}

// lead lets a node lead a new term; the caller holds mu.
func (f *Fake) lead(name string) {
	f.leader = name
	f.term++
	for _, liar := range f.names {
		if f.Claims && (liar == name || f.Mistakes.TwoLeaders) {
			fmt.Fprintf(f.nodes[liar].log, "leader %d\n", f.term)
		}
	}
}

// Can implements [harness.Target] and [harness.Fleet]: it is both in one.
func (f *Fake) Can() []harness.Capability {
	return []harness.Capability{
		harness.KV, harness.CAS,
		harness.Leader,
		harness.NodeKill,
		harness.NodePause,
		harness.NodeUnplug,
		harness.LinkCut,
		harness.LinkLoss,
		harness.LinkDelay,
		harness.LinkRate,
		harness.LinkReorder,
		harness.LinkDuplicate,
		harness.LinkCorrupt,
		harness.ClientCut,
		harness.NodeWipe,
		harness.NodeRelaunch,
		harness.MoveLeader,
		harness.Defragment,
		harness.SaveSnapshot,
		harness.Compact,
		harness.ReplaceMember,
		harness.MixVersions,
	}
}

// Operate implements [harness.Operated]: leadership goes to the next node that serves, and all else is done at once.
func (f *Fake) Operate(ctx context.Context, hn harness.Node, what harness.Capability) error {
	n := hn.(*node)
	if f.Mistakes.Inert {
		return fmt.Errorf("not today: %w", harness.ErrNotApplied)
	}
	if err := n.wait(ctx); err != nil || what != harness.MoveLeader {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.elect(); f.leader != n.name {
		return fmt.Errorf("it does not lead: %w", harness.ErrNotApplied)
	}
	at := slices.Index(f.names, n.name)
	for _, next := range slices.Concat(f.names[at+1:], f.names[:at]) {
		if f.serves(next) {
			f.lead(next)
			return nil
		}
	}
	return fmt.Errorf("nobody else serves: %w", harness.ErrNotApplied)
}

// Ready implements [harness.Target].
func (f *Fake) Ready(ctx context.Context, n harness.Node) error {
	return harness.KnowsLeader(ctx, f, n)
}

// Claim implements [harness.Witness].
func (f *Fake) Claim(line []byte) (term uint64, ok bool) {
	_, err := fmt.Sscanf(string(line), "leader %d", &term)
	return term, err == nil
}

// Announces implements [harness.Announcer].
func (f *Fake) Announces() bool { return f.Announcing }

// Serves implements [harness.Announcer].
func (f *Fake) Serves(line []byte) bool { return string(line) == "serving" }

// Status implements [harness.Reporter].
func (f *Fake) Status(ctx context.Context, hn harness.Node) (history.Status, error) {
	n := hn.(*node)
	if err := n.wait(ctx); err != nil {
		return history.Status{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.elect()
	s := history.Status{Role: "follower", Term: f.term, Applied: uint64(f.writes), Hash: fmt.Sprint(f.writes)}
	if f.serves(n.name) {
		s.Leader = f.leader
	}
	if f.leader == n.name {
		s.Role = "leader"
	}
	return s, nil
}

// Hash implements [harness.Hasher].
func (f *Fake) Hash(ctx context.Context, hn harness.Node, revision uint64) (history.Hash, error) {
	n := hn.(*node)
	if err := n.wait(ctx); err != nil {
		return history.Hash{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if revision == 0 || revision > uint64(f.writes) {
		revision = uint64(f.writes)
	}
	h := history.Hash{Revision: revision, Sum: fmt.Sprint(revision)}
	from, to := f.Mistakes.DivergedAt, f.Mistakes.HealedAt
	diverged := f.Mistakes.Diverged || from > 0 && revision >= from && uint64(f.writes) < to
	if diverged && n.name == f.names[len(f.names)-1] {
		h.Sum = "something else"
	}
	return h, nil
}

// HashesPast implements [harness.PastHasher].
func (f *Fake) HashesPast() bool { return true }

// Dial implements [harness.Target].
func (f *Fake) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return &Client{node: n.(*node)}, nil
}

// Inspect implements [harness.Inspector].
func (f *Fake) Inspect(context.Context) error {
	if f.Mistakes.Meddled {
		return errors.New("n2 was disconnected")
	}
	return nil
}
