package harness

import (
	"context"
	"fmt"
	"io"
)

// Fleet runs the nodes of one cluster and shapes the links between them.
type Fleet interface {
	// Plan gives every node an address for each port. It is called once, first.
	Plan(ctx context.Context, nodes, ports []string) error
	// Placement tells one node of its place in the plan.
	Placement(node string) Placement
	// Launch starts a node. What it prints goes to log, line by line or not.
	Launch(ctx context.Context, s NodeSpec, log io.Writer) (Node, error)
	// Shape brings directed links to new states, all at once, and leaves the others as they
	// are. It returns when all are in force.
	Shape(ctx context.Context, links map[Link]Impairment) error
	// Traffic tells what went over links and what was lost there since the plan was made.
	Traffic(ctx context.Context, links []Link) (map[Link]Traffic, error)
	// Close ends all nodes and leaves nothing behind.
	Close() error
}

// Prober is a fleet that can send something over a link by itself, so that a cut is seen to cut
// although the nodes have nothing to say to each other.
type Prober interface {
	Probe(ctx context.Context, links []Link) error
}

// Inspector is a fleet that can tell whether somebody else has laid hands on what it made: ended, paused or
// disconnected it. What such a run measured is not what it was to measure.
type Inspector interface {
	// Inspect returns an error that names what was done, and to what.
	Inspect(ctx context.Context) error
}

// Node is a launched node.
type Node interface {
	Name() string
	// Addr returns where the controller reaches a port of the node.
	Addr(port string) string
	// Kill ends the node at once, as a crash does, and returns when it is gone.
	Kill(ctx context.Context) error
	// Start launches a killed node again, with its data and addresses.
	Start(ctx context.Context) error
	// Pause stops the node in its tracks, and returns when it stands still.
	Pause(ctx context.Context) error
	// Resume lets a paused node go on.
	Resume(ctx context.Context) error
	// Exited is closed when the node's process ends, killed or not. Each Start has its own.
	Exited() <-chan struct{}
}

// Drainer is a node whose output comes a while after it was written.
type Drainer interface {
	// Drain returns once all that an ended node has written has come, or ctx ends.
	Drain(ctx context.Context)
}

// Unplugger is a node whose network can be pulled out altogether, clients' way to it included.
type Unplugger interface {
	// Unplug pulls the network out, and returns when it is seen to be gone.
	Unplug(ctx context.Context) error
	// Plug puts it back: with the same address, and every link in the state that it is to be in.
	Plug(ctx context.Context) error
}

// Link is the way from one node to another. The way back is another link.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// String returns "n1>n2".
func (l Link) String() string { return l.From + ">" + l.To }

// Both returns a link and the way back.
func (l Link) Both() []Link { return []Link{l, {From: l.To, To: l.From}} }

// Impairment is what is wrong with a link. The zero value is a healthy link.
type Impairment struct {
	// Drop loses everything silently: nothing is refused, reset or closed.
	Drop bool `json:"drop,omitempty"`
	// Loss is the share of packets that are lost at random, from 0 to 1.
	Loss float64 `json:"loss,omitempty"`
}

// And returns what two impairments of one link come to.
func (i Impairment) And(other Impairment) Impairment {
	return Impairment{Drop: i.Drop || other.Drop, Loss: 1 - (1-i.Loss)*(1-other.Loss)}
}

// Traffic counts bytes on a link.
type Traffic struct {
	Passed  uint64 `json:"passed"`
	Dropped uint64 `json:"dropped"`
}

// NodeNames returns n1, n2, ... as nodes are named everywhere.
func NodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}
