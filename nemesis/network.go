package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// unplug pulls out nodes' networks altogether and puts them back when healed. Unlike a partition it
// takes the clients' way to the nodes too, and the interface vanishes under the node.
var unplug = Family{
	About: "pull out nodes' networks, clients' way to them included",
	Aims:  orHolder(aims),
	Deeds: harness.Deeds{"unplug": holdNodes("pull out nodes' networks", harness.NodeUnplug, harness.State{
		Name: "unplugged", NoNetwork: true,
		Enter: func(ctx context.Context, n harness.Node) error {
			u, ok := n.(harness.Unplugger)
			if !ok {
				return fmt.Errorf("a node of this fleet cannot be unplugged: %w", harness.ErrUnsupported)
			}
			return u.Unplug(ctx)
		},
		Leave: func(ctx context.Context, n harness.Node) error {
			if u, ok := n.(harness.Unplugger); ok {
				return u.Plug(ctx)
			}
			return nil
		},
	})},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, drawn(v, aims))
			return hitNodes("unplug", aim, up(v, targets(r, v, aim)))
		})
	},
}

// The shapes of delays: a small part of what elections wait for, more than that, and now this and now that.
var (
	delayShapes = []string{"short", "long", "jittery"}
	delays      = map[string]delaySettings{
		"short":   {By: harness.Time(50 * time.Millisecond)},
		"long":    {By: harness.Time(500 * time.Millisecond)},
		"jittery": {By: harness.Time(20 * time.Millisecond), Jitter: harness.Time(200 * time.Millisecond)},
	}
)

// delay makes the links to and from nodes slow.
var delay = linkFamily("delay", "let messages come late", delayShapes, delays, "delay",
	impairLinks("let messages come late", harness.LinkDelay,
		func(s delaySettings) (harness.Impairment, error) {
			if s.By <= 0 || s.Jitter < 0 || s.By+s.Jitter > harness.Time(longestDelay) {
				return harness.Impairment{}, fmt.Errorf("by %v, and up to %v more: above 0s, together to %v",
					time.Duration(s.By), time.Duration(s.Jitter), longestDelay)
			}
			return harness.Impairment{Delay: time.Duration(s.By), Jitter: time.Duration(s.Jitter)}, nil
		},
		func(links []harness.Link) history.Takes { return history.Takes{Slow: links} },
	))

// longestDelay is the longest that can be measured in the time that a fault has to be brought about.
const longestDelay = 3 * time.Second

type delaySettings struct {
	By     harness.Time `json:"by"`
	Jitter harness.Time `json:"jitter,omitempty"` // up to how much later still each message comes
}
