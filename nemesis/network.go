package nemesis

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
)

// Unplug pulls out nodes' networks altogether and puts them back when healed. Unlike a partition it
// takes the clients' way to the nodes too, and the interface vanishes under the node.
type Unplug struct {
	Aim   string   `json:"aim"`
	Nodes []string `json:"nodes"`
}

// Kind implements [harness.Fault].
func (Unplug) Kind() string { return "unplug" }

// Inject implements [harness.Fault].
func (f Unplug) Inject(ctx context.Context, in *harness.Injection) error {
	return in.Unplug(ctx, f.Nodes...)
}

func newUnplug(_, aim string) harness.Nemesis {
	return aimFunc(func(r *rand.Rand, v harness.View) harness.Fault {
		aim := draw(r, aim, aims)
		nodes := slices.DeleteFunc(targets(r, v, aim), func(n string) bool { return !slices.Contains(v.Up, n) })
		if len(nodes) == 0 {
			return nil // they are down already
		}
		return Unplug{Aim: aim, Nodes: nodes}
	})
}

// Loss makes the links to and from nodes lose packets.
type Loss struct {
	Aim   string         `json:"aim"`
	Nodes []string       `json:"nodes"`
	Share float64        `json:"share"` // of packets, from 0 to 1
	Links []harness.Link `json:"links"`
}

// The shapes of loss: how much of it.
var (
	lossShapes = []string{"some", "half", "most"}
	lossShares = map[string]float64{"some": 0.1, "half": 0.5, "most": 0.8}
)

// Kind implements [harness.Fault].
func (Loss) Kind() string { return "loss" }

// Inject implements [harness.Fault].
func (f Loss) Inject(ctx context.Context, in *harness.Injection) error {
	return in.Lose(ctx, f.Share, f.Links...)
}

func newLoss(shape, aim string) harness.Nemesis {
	return aimFunc(func(r *rand.Rand, v harness.View) harness.Fault {
		f := Loss{Aim: draw(r, aim, aims), Share: lossShares[draw(r, shape, lossShapes)]}
		f.Nodes = targets(r, v, f.Aim)
		for i, n := range f.Nodes {
			f.Links = append(f.Links, between([]string{n}, without(v.Nodes, f.Nodes[:i+1]))...)
		}
		if !noticed(v, f.Links) {
			return nil
		}
		return f
	})
}
