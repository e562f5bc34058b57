// Package targettest proves targets, in the manner of testing/fstest: what can be told without a running system, and,
// on a fleet, that its clients do what the harness and the workloads rely on. A new target proves itself with one call
// of [Test].
package targettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads"
)

// Config is what is proved.
type Config struct {
	Target harness.Target
	// Fleet is where the target is launched; nil if only what can be told without a running system is to be proved. The
	// suite closes it.
	Fleet func() (harness.Fleet, error)
}

// patience is how long anything may take that is waited for.
const patience = time.Minute

// callTimeout bounds one call.
const callTimeout = 5 * time.Second

// Test fails t for what [Check] finds.
func Test(t *testing.T, c Config) {
	t.Helper()
	require.NoError(t, Check(t.Context(), c))
}

// Check proves a target and returns what is wrong with it.
func Check(ctx context.Context, c Config) error {
	if err := pure(ctx, c.Target); err != nil || c.Fleet == nil {
		return err
	}
	return running(ctx, c)
}

// placement is one of three members that are nowhere.
func placement(node string) harness.Placement {
	p := harness.Placement{Node: node, DataDir: "/data/" + node, Seed: 7, Program: "/program"}
	for i, name := range harness.NodeNames(3) {
		addr := map[string]string{}
		for j, port := range []string{"0", "1", "2", "3"} {
			addr[port] = fmt.Sprintf("10.0.0.%d:%d", i+1, 7001+j)
		}
		p.Members = append(p.Members, harness.Member{Name: name, Addr: addr})
	}
	return p
}

// named gives a placement's ports the names that a target has for them.
func named(p harness.Placement, ports []string) harness.Placement {
	for i, m := range p.Members {
		addr := map[string]string{}
		for j, port := range ports {
			addr[port] = m.Addr[fmt.Sprint(j)]
		}
		p.Members[i].Addr = addr
	}
	return p
}

// nowhere is a node at addresses where nobody listens.
type nowhere struct {
	harness.Node
	addr string
}

func (n nowhere) Name() string       { return "n1" }
func (n nowhere) Addr(string) string { return n.addr }

// pure proves what can be told without a running system.
func pure(ctx context.Context, t harness.Target) error {
	ports := t.Ports()
	if len(ports) == 0 || len(ports) > 4 || len(slices.Compact(slices.Sorted(slices.Values(ports)))) != len(ports) {
		return fmt.Errorf("a target has from 1 to 4 ports, each with a name of its own, not %q", ports)
	}
	for _, node := range harness.NodeNames(3) {
		p := named(placement(node), ports)
		spec := t.Spec(p)
		if !reflect.DeepEqual(spec, t.Spec(named(placement(node), ports))) {
			return errors.New("Spec is not pure: it says two things of one placement")
		}
		if spec.Name != node || len(spec.Command) == 0 || spec.Command[0] == "" || spec.DataDir != p.DataDir {
			return fmt.Errorf("the spec of %s is %+v", node, spec)
		}
		said := strings.Join(append(spec.Command, spec.Env...), " ")
		for _, m := range p.Members {
			if host, _, _ := net.SplitHostPort(m.Addr[ports[0]]); !strings.Contains(said, host) {
				return fmt.Errorf("%s is not told where %s is: %s", node, m.Name, said)
			}
		}
	}
	if w, ok := t.(harness.Witness); ok {
		for _, line := range []string{
			"", "leader", "{", `{"msg":`, strings.Repeat("x", 1<<20), "\x00\xff", "became leader at term",
		} {
			if term, claims := w.Claim([]byte(line)); claims {
				return fmt.Errorf("the line %.40q is taken for a claim to term %d", line, term)
			}
		}
	}
	return away(ctx, t)
}

// away proves that a member which is not there serves nothing, and that a call which cannot have left says so.
func away(ctx context.Context, t harness.Target) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n := nowhere{addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := t.Ready(ctx, n); err == nil {
		return errors.New("a member that is not there is ready")
	}
	if r, ok := t.(harness.Reporter); ok {
		if s, err := r.Status(ctx, n); err == nil {
			return fmt.Errorf("a member that is not there has the status %+v", s)
		}
	}
	c, err := t.Dial(ctx, n)
	if err != nil {
		return nil //nolint:nilerr // that is as good
	}
	defer func() { _ = c.Close() }() // whatever comes of it
	kv, ok := c.(workloads.KV)
	if slices.Contains(t.Can(), harness.KV) != ok {
		return fmt.Errorf("the target says that it can do %v, and its client says otherwise of kv", t.Can())
	}
	if !ok {
		return nil
	}
	if _, err := kv.Write(ctx, "k", "1"); !errors.Is(err, harness.ErrNotApplied) {
		return fmt.Errorf("a write to a port where nobody listens cannot have happened, and what is said of it is %w", err)
	}
	if _, _, err := kv.Read(ctx, "k"); err == nil {
		return errors.New("something was read where nobody listens")
	}
	return nil
}

// lines keeps what a node prints, line by line.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(l.text.String(), "\n")
}

// running proves a target on a fleet.
func running(ctx context.Context, c Config) (err error) {
	f, err := c.Fleet()
	if err != nil {
		return err
	}
	nodes := harness.NodeNames(3)
	logs := map[string]*lines{}
	for _, n := range nodes {
		logs[n] = &lines{}
	}
	cluster := harness.NewCluster(c.Target, f, nodes, func(string) {})
	defer func() { err = errors.Join(err, cluster.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	if err := cluster.Launch(ctx, 1, func(node string) io.Writer { return logs[node] }); err != nil {
		return err
	}
	serving, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := cluster.Serving(serving); err != nil {
		return err
	}
	if err := claims(ctx, c.Target, cluster, logs); err != nil {
		return err
	}
	if slices.Contains(c.Target.Can(), harness.KV) {
		if err := keyValue(ctx, c.Target, cluster); err != nil {
			return err
		}
	}
	if slices.Contains(c.Target.Can(), harness.Lease) {
		if err := leases(ctx, c.Target, cluster); err != nil {
			return fmt.Errorf("leases: %w", err)
		}
	}
	if h, ok := c.Target.(harness.Hasher); ok {
		if err := hashes(ctx, h, cluster); err != nil {
			return err
		}
	}
	return operations(ctx, c.Target, cluster)
}

// operations asks members for what the target says that they do, and for what they do not.
func operations(ctx context.Context, t harness.Target, c *harness.Cluster) error {
	o, ok := t.(harness.Operated)
	var asked []harness.Capability
	for _, what := range []harness.Capability{
		harness.MoveLeader, harness.Defragment, harness.SaveSnapshot, harness.Compact,
	} {
		if slices.Contains(t.Can(), what) {
			asked = append(asked, what)
		}
	}
	if len(asked) > 0 != ok {
		return fmt.Errorf("members can %v, and whether they can be asked to is %t", asked, ok)
	}
	if !ok {
		return nil
	}
	if err := o.Operate(ctx, c.Node("n1"), "leap"); !errors.Is(err, harness.ErrNotApplied) {
		return fmt.Errorf("a member that is asked for what it cannot do answers %w", err)
	}
	for _, what := range asked {
		if what != harness.MoveLeader {
			if err := o.Operate(ctx, c.Node("n1"), what); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			continue
		}
		var before []string
		err := harnesstest.Eventually(ctx, patience, "a leader", func() bool {
			before = c.View(ctx).Leaders
			return len(before) == 1
		})
		if err != nil {
			return err
		}
		if err := o.Operate(ctx, c.Node(before[0]), what); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		err = harnesstest.Eventually(ctx, patience, before[0]+" hands leadership over", func() bool {
			now := c.View(ctx).Leaders
			return len(now) == 1 && now[0] != before[0]
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claims looks for the leader in the nodes' logs.
func claims(ctx context.Context, t harness.Target, c *harness.Cluster, logs map[string]*lines) error {
	w, ok := t.(harness.Witness)
	if !ok || !slices.Contains(t.Can(), harness.Leader) {
		return nil
	}
	leader := c.View(ctx).Leaders
	if len(leader) == 0 {
		return errors.New("the target has leaders, and nobody says that it leads")
	}
	return harnesstest.Eventually(ctx, patience, "the log of "+leader[0]+" says that it leads", func() bool {
		return slices.ContainsFunc(logs[leader[0]].all(), func(line string) bool {
			term, ok := w.Claim([]byte(line))
			return ok && term > 0
		})
	})
}

// keyValue proves what the workloads rely on of clients that read, write, and, if they can, compare-and-set.
func keyValue(ctx context.Context, t harness.Target, cluster *harness.Cluster) (err error) {
	var clients []workloads.KV
	for _, name := range cluster.Nodes() {
		c, err := t.Dial(ctx, cluster.Node(name))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		clients = append(clients, c.(workloads.KV))
	}
	first, second := clients[0], clients[1]
	holds := func(kv workloads.KV, want string) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		value, _, err := kv.Read(ctx, "k")
		switch {
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case value == nil && want != "" || value != nil && *value != want:
			return fmt.Errorf("the key holds %s, not %q", shown(value), want)
		}
		return nil
	}
	if err := holds(first, ""); err != nil {
		return fmt.Errorf("before anything was written: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	one, err := first.Write(ctx, "k", "1")
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := holds(second, "1"); err != nil {
		return fmt.Errorf("at another member after a write: %w", err)
	}
	change := second.CompareAndSet
	if !slices.Contains(t.Can(), harness.CAS) {
		change = func(ctx context.Context, key, _, value string) (history.Stamp, error) {
			return second.Write(ctx, key, value)
		}
	}
	two, err := change(ctx, "k", "1", "2")
	if err != nil {
		return fmt.Errorf("compare-and-set: %w", err)
	}
	if one.Version > two.Version || one.Revision > two.Revision {
		return fmt.Errorf("a change at %+v comes after one at %+v", two, one)
	}
	if slices.Contains(t.Can(), harness.CAS) {
		if err := refuses(ctx, first); err != nil {
			return err
		}
	} else if _, err := first.CompareAndSet(ctx, "k", "2", "3"); !errors.Is(err, harness.ErrNotApplied) {
		return fmt.Errorf("a compare-and-set, which the target says that it cannot do, is answered with %w", err)
	}
	if err := holds(clients[2], "2"); err != nil {
		return fmt.Errorf("after two changes, and one that was refused: %w", err)
	}
	odd := "</script> \x00 \"é\" 漢字"
	if _, err := first.Write(ctx, "odd/key ?&#", odd); err != nil {
		return fmt.Errorf("write of an odd value under an odd key: %w", err)
	}
	value, _, err := second.Read(ctx, "odd/key ?&#")
	if err != nil || value == nil || *value != odd {
		return fmt.Errorf("an odd value was read as %s (%w)", shown(value), err)
	}
	return nil
}

// refuses proves that a compare-and-set compares: the key holds 2.
func refuses(ctx context.Context, kv workloads.KV) error {
	var refusal harness.Refusal
	if _, err := kv.CompareAndSet(ctx, "k", "1", "3"); !errors.As(err, &refusal) {
		return fmt.Errorf("a compare-and-set that finds another value is a refusal, not %w", err)
	}
	if refusal.Known && (refusal.Found == nil || *refusal.Found != "2") {
		return fmt.Errorf("a compare-and-set found %s, and the key holds 2", shown(refusal.Found))
	}
	return nil
}

func shown(value *string) string {
	if value == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", *value)
}

// hashes proves that members in the same state hash the same.
func hashes(ctx context.Context, h harness.Hasher, cluster *harness.Cluster) error {
	return harnesstest.Eventually(ctx, patience, "all members have the same hash at the same revision", func() bool {
		sums := map[string]bool{}
		for _, name := range cluster.Nodes() {
			hash, err := h.Hash(ctx, cluster.Node(name), 0)
			if err != nil {
				return false
			}
			sums[fmt.Sprint(hash.Revision, hash.Sum)] = true
		}
		return len(sums) == 1
	})
}
