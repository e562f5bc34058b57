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
	// Shape sets the state of one directed link. It returns when the state is in force.
	Shape(ctx context.Context, l Link, i Impairment) error
	// Traffic tells what went over a link and what was lost there since the plan was made.
	Traffic(l Link) Traffic
	// Close ends all nodes and leaves nothing behind.
	Close() error
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
}

// Traffic counts bytes on a link.
type Traffic struct {
	Passed, Dropped uint64
}

// NodeNames returns n1, n2, ... as nodes are named everywhere.
func NodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}
