package harness

import (
	"context"
	"fmt"
	"io"
)

// Fleet runs the nodes of one cluster. One that shapes the links between them too is a [Shaper].
type Fleet interface {
	// Can returns what the fleet can do. It refuses what it cannot.
	Can() []Capability
	// Plan gives every node an address for each port. It is called once, first.
	Plan(ctx context.Context, nodes, ports []string) error
	// Placement tells one node of its place in the plan.
	Placement(node string) Placement
	// Launch starts a node. What it prints goes to log, line by line or not.
	Launch(ctx context.Context, s NodeSpec, log io.Writer) (Node, error)
	// Close ends all nodes and leaves nothing behind.
	Close() error
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

// Wiper is a node whose disk can be wiped while its process is ended.
type Wiper interface {
	// Wipe removes all that the node has stored, and returns how many bytes that was.
	Wipe(ctx context.Context) (bytes int64, err error)
}

// NodeNames returns n1, n2, ... as nodes are named everywhere.
func NodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}
