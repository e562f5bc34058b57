package harness

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Companion is a node that runs beside the cluster and is no member of it: a client in a process of its own, which can
// be paused, killed and cut off as members can, or what clients use beside the cluster.
type Companion struct {
	Name string
	// Dial returns a client that calls the cluster by it, in place of [Target].Dial; nil if it is not there for that.
	Dial func(ctx context.Context, n Node) (Client, error)
	// Spec says how it is launched. It is pure.
	Spec func(p Placement) NodeSpec
	// Ready returns nil if it serves, and otherwise says why it does not.
	Ready func(ctx context.Context, n Node) error
}

// Accompanied is a workload with companions.
type Accompanied interface {
	// Companions returns those of a test. It is pure.
	Companions(t *Test) []Companion
	// Heed reads a line that a companion prints, and returns the note that it is for the history, if it is one. Times on
	// the machine's monotonic clock become times of the run by at.
	Heed(line []byte, at func(monotonic int64) time.Duration) (f string, note json.RawMessage, ok bool)
}

// Holding is a workload whose clients hold something, such as a lock, so that faults can be aimed at who does.
type Holding interface {
	// Holds reports whether a client holds something once a call of its has ended.
	Holds(o Outcome) bool
	// Lease is how long a holder that nobody hears of keeps what it holds.
	Lease() time.Duration
}

// Beside is a fleet that wants to know before [Fleet].Plan which of the nodes are companions: their links lead to where
// clients call members, not to where members call each other.
type Beside interface {
	PlanBeside(companions []string)
}

func companionNames(list []Companion) (names []string) {
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}

// clientNames returns the names of the companions that are clients. Faults hit no others: what clients use beside the
// cluster is not what is tested.
func clientNames(list []Companion) []string {
	return companionNames(slices.DeleteFunc(slices.Clone(list), func(c Companion) bool { return c.Dial == nil }))
}

// companions returns those of a test.
func (t *Test) companions() []Companion {
	if a, ok := t.Workload.(Accompanied); ok {
		return a.Companions(t)
	}
	return nil
}

// places returns the nodes that clients call: the companions that are clients, or else the members.
func (r *run) places() (names []string) {
	for _, c := range r.cluster.Companions {
		if c.Dial != nil {
			names = append(names, c.Name)
		}
	}
	if names == nil {
		names = r.cluster.Nodes()
	}
	return names
}

// heedCompanion returns a writer that passes on to the log of a companion, and records what it prints for the history.
func (r *run) heedCompanion(name string, w io.Writer) io.Writer {
	a := r.Workload.(Accompanied)
	at := func(monotonic int64) time.Duration { return time.Duration(monotonic - r.monotonic) }
	return &tap{Writer: w, see: func(line []byte) {
		defer r.crashed("the reading of the log of " + name)
		if f, note, ok := a.Heed(line, at); ok {
			r.log.Append(history.Event{Process: history.Observer, Kind: history.Note, F: f, Node: name, Value: note})
		}
	}}
}

// held notes which companions hold something, for faults to be aimed at.
func (r *run) held(worker int, node string, o Outcome) {
	h, ok := r.Workload.(Holding)
	if !ok {
		return
	}
	r.cluster.mu.Lock()
	defer r.cluster.mu.Unlock()
	if h.Holds(o) {
		r.cluster.holders[worker] = node
	} else {
		delete(r.cluster.holders, worker)
	}
}

// clients returns the companions that are clients and run.
func (c *Cluster) clients() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(clientNames(c.Companions), func(name string) bool { return !c.ableToServe(c.members[name]) })
}

// holding returns the companions that run and hold something, sorted.
func (c *Cluster) holding() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.holders {
		if m := c.members[name]; m != nil && c.ableToServe(m) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
