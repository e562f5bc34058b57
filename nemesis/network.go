package nemesis

import (
	"context"
	"encoding/json"
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
	Aims:  aims,
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
			aim := draw(r, aim, aims)
			return hitNodes("unplug", aim, up(v, targets(r, v, aim)))
		})
	},
}

// The shapes of loss: how much of it.
var (
	lossShapes = []string{"some", "half", "most"}
	lossShares = map[string]float64{"some": 0.1, "half": 0.5, "most": 0.8}
)

// loss makes the links to and from nodes lose packets at random.
var loss = Family{
	About:  "lose packets at random",
	Shapes: lossShapes,
	Aims:   aims,
	Deeds: harness.Deeds{"lose": impairLinks("lose a share of packets", harness.LinkLoss,
		func(s lossSettings) (harness.Impairment, error) {
			if s.Share <= 0 || s.Share >= 1 {
				return harness.Impairment{}, fmt.Errorf("a share of %v: above 0 and below 1", s.Share)
			}
			return harness.Impairment{Loss: s.Share}, nil
		},
		func(links []harness.Link) history.Takes { return history.Takes{Lossy: links} },
	)},
	New: func(shape, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim, shape := draw(r, aim, aims), draw(r, shape, lossShapes)
			return hitLinks(v, "loss", shape, aim, targets(r, v, aim), "lose",
				lossSettings{Share: lossShares[shape]})
		})
	},
}

type lossSettings struct {
	Share float64 `json:"share"` // of packets, from 0 to 1
}

// The shapes of delays: a small part of what elections wait for, and more than that.
var (
	delayShapes = []string{"short", "long"}
	delays      = map[string]harness.Time{
		"short": harness.Time(50 * time.Millisecond), "long": harness.Time(500 * time.Millisecond),
	}
)

// delay makes the links to and from nodes slow.
var delay = Family{
	About:  "let messages come late",
	Rare:   true,
	Shapes: delayShapes,
	Aims:   aims,
	Deeds: harness.Deeds{"delay": impairLinks("let messages come late", harness.LinkDelay,
		func(s delaySettings) (harness.Impairment, error) {
			if s.By <= 0 || s.By > harness.Time(longestDelay) {
				return harness.Impairment{}, fmt.Errorf("by %v: above 0s, to %v", time.Duration(s.By), longestDelay)
			}
			return harness.Impairment{Delay: time.Duration(s.By)}, nil
		},
		func(links []harness.Link) history.Takes { return history.Takes{Slow: links} },
	)},
	New: func(shape, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim, shape := draw(r, aim, aims), draw(r, shape, delayShapes)
			return hitLinks(v, "delay", shape, aim, targets(r, v, aim), "delay", delaySettings{By: delays[shape]})
		})
	},
}

// longestDelay is the longest that can be measured in the time that a fault has to be brought about.
const longestDelay = 3 * time.Second

type delaySettings struct {
	By harness.Time `json:"by"`
}

// hitLinks is a fault of one deed on all links to and from nodes; nil if nobody would notice.
func hitLinks(v harness.View, family, shape, aim string, nodes []string, deed string, settings any) *harness.Fault {
	links := around(v, nodes)
	if !noticed(v, links) {
		return nil
	}
	with, err := json.Marshal(settings)
	if err != nil {
		return nil // a struct of numbers and times
	}
	return &harness.Fault{
		Family: family, Shape: shape, Aim: aim, Nodes: nodes, Deeds: []harness.Deed{{Kind: deed, Links: links, With: with}},
	}
}

// around returns all links between nodes and all others, and between each other, each once.
func around(v harness.View, nodes []string) (links []harness.Link) {
	for i, n := range nodes {
		links = append(links, between([]string{n}, without(v.Nodes, nodes[:i+1]))...)
	}
	return links
}
