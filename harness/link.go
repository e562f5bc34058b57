package harness

import (
	"context"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Link is the way from one node to another. The way back is another link.
type Link = history.Link

// Shaper is a fleet that shapes the links between nodes.
type Shaper interface {
	// Shape brings directed links to new states, all at once, and leaves the others as they
	// are. It returns when all are in force.
	Shape(ctx context.Context, links map[Link]Impairment) error
	// Traffic tells what went over links and what was lost there since the plan was made.
	Traffic(ctx context.Context, links []Link) (map[Link]Traffic, error)
}

// Prober is a fleet that can send something over a link by itself, so that a cut is seen to cut
// although the nodes have nothing to say to each other.
type Prober interface {
	Probe(ctx context.Context, links []Link) error
	// Patience is how long links are first watched for what the nodes send by themselves. Where nodes could get around
	// the links, what they lose is better evidence than what a probe loses.
	Patience() time.Duration
}

// Timer is a fleet that can tell how long a link takes, by sending something over it.
type Timer interface {
	// Delays returns how long something took over each of the links. A link that lost it is left out.
	Delays(ctx context.Context, links []Link) (map[Link]time.Duration, error)
}

// Impairment is what is wrong with a link. The zero value is a healthy link.
type Impairment struct {
	// Drop loses everything silently: nothing is refused, reset or closed.
	Drop bool `json:"drop,omitempty"`
	// Loss is the share of packets that are lost at random, from 0 to 1.
	Loss float64 `json:"loss,omitempty"`
	// Delay is how much later everything comes.
	Delay time.Duration `json:"delay_ns,omitempty"`
}

// And returns what two impairments of one link come to.
func (i Impairment) And(other Impairment) Impairment {
	return Impairment{
		Drop: i.Drop || other.Drop, Loss: 1 - (1-i.Loss)*(1-other.Loss), Delay: i.Delay + other.Delay,
	}
}

// Needs returns what a fleet must be able to do to impair a link like this.
func (i Impairment) Needs() (needs []Capability) {
	if i.Drop {
		needs = append(needs, LinkCut)
	}
	if i.Loss > 0 {
		needs = append(needs, LinkLoss)
	}
	if i.Delay > 0 {
		needs = append(needs, LinkDelay)
	}
	return needs
}

// Traffic counts bytes on a link.
type Traffic struct {
	Passed  uint64 `json:"passed"`
	Dropped uint64 `json:"dropped"`
}
