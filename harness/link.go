package harness

import (
	"context"
	"fmt"
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
	// Delay is how much later everything comes, and Jitter up to how much later still: each packet by another part of it,
	// and none before the one that was sent before it.
	Delay  time.Duration `json:"delay_ns,omitempty"`
	Jitter time.Duration `json:"jitter_ns,omitempty"`
	// Rate is how many bytes a second get through; 0 is no limit. What does not get through at once waits, for
	// [MostQueued] at the most.
	Rate int64 `json:"bytes_per_s,omitempty"`
	// Reorder is the share of packets that are held back by [HeldBack], so that later ones overtake them; Duplicate of
	// those that come twice, and Corrupt of those of which a bit is flipped, from 0 to 1. A bit that is flipped makes the
	// checksum wrong, and what receives it throws it away.
	Reorder   float64 `json:"reorder,omitempty"`
	Duplicate float64 `json:"duplicate,omitempty"`
	Corrupt   float64 `json:"corrupt,omitempty"`
}

// HeldBack is for how long a packet is held back that others are to overtake.
const HeldBack = 10 * time.Millisecond

// MostQueued is how long what is sent over a narrow link waits at most. What would wait longer is lost, as in a router
// whose buffer is full.
const MostQueued = 2 * time.Second

// Validate says what is wrong with the figures.
func (i Impairment) Validate() error {
	for what, share := range map[string]float64{
		"loss": i.Loss, "reorder": i.Reorder, "duplicate": i.Duplicate, "corrupt": i.Corrupt,
	} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("%s is %v: from 0 to 1", what, share)
		}
	}
	if i.Delay < 0 || i.Jitter < 0 || i.Rate < 0 {
		return fmt.Errorf("delay %v, jitter %v, %d bytes/s: not below 0", i.Delay, i.Jitter, i.Rate)
	}
	return nil
}

// And returns what two impairments of one link come to.
func (i Impairment) And(other Impairment) Impairment {
	either := func(a, b float64) float64 { return 1 - (1-a)*(1-b) }
	narrower := min(i.Rate, other.Rate)
	if narrower == 0 {
		narrower = max(i.Rate, other.Rate)
	}
	return Impairment{
		Drop: i.Drop || other.Drop, Loss: either(i.Loss, other.Loss),
		Delay: i.Delay + other.Delay, Jitter: i.Jitter + other.Jitter, Rate: narrower,
		Reorder: either(i.Reorder, other.Reorder), Duplicate: either(i.Duplicate, other.Duplicate),
		Corrupt: either(i.Corrupt, other.Corrupt),
	}
}

// Needs returns what a fleet must be able to do to impair a link like this.
func (i Impairment) Needs() (needs []Capability) {
	for _, n := range []struct {
		wanted bool
		need   Capability
	}{
		{i.Drop, LinkCut},
		{i.Loss > 0, LinkLoss},
		{i.Delay > 0 || i.Jitter > 0, LinkDelay},
		{i.Rate > 0, LinkRate},
		{i.Reorder > 0, LinkReorder},
		{i.Duplicate > 0, LinkDuplicate},
		{i.Corrupt > 0, LinkCorrupt},
	} {
		if n.wanted {
			needs = append(needs, n.need)
		}
	}
	return needs
}

// Traffic counts what went over a link.
type Traffic struct {
	Passed  uint64 `json:"passed"`  // in bytes
	Dropped uint64 `json:"dropped"` // in bytes
	// What happened to what passed, in packets: those that a narrow link held up, those that others
	// overtook, those that came twice, and those of which a bit was flipped.
	Queued     uint64 `json:"queued,omitempty"`
	Overtaken  uint64 `json:"overtaken,omitempty"`
	Duplicated uint64 `json:"duplicated,omitempty"`
	Corrupted  uint64 `json:"corrupted,omitempty"`
}

// And returns what two counts of one link come to.
func (t Traffic) And(other Traffic) Traffic {
	return Traffic{
		Passed: t.Passed + other.Passed, Dropped: t.Dropped + other.Dropped,
		Queued: t.Queued + other.Queued, Overtaken: t.Overtaken + other.Overtaken,
		Duplicated: t.Duplicated + other.Duplicated, Corrupted: t.Corrupted + other.Corrupted,
	}
}
