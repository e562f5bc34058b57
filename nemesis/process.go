package nemesis

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
)

// kill ends nodes at once, as a crash does, and starts them again when healed.
var kill = Family{
	About:  "end processes with SIGKILL and start them again",
	Aims:   orHolder(aims),
	Weight: 2,
	Deeds:  harness.Deeds{"kill": holdNodes("end processes", harness.NodeKill, killed)},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, drawn(v, aims))
			return hitNodes("kill", aim, up(v, targets(r, v, aim)))
		})
	},
}

// killed is the state of nodes that have no process.
var killed = harness.State{
	Name: "killed", Ends: true,
	Enter: func(ctx context.Context, n harness.Node) error { return n.Kill(ctx) },
	Leave: func(ctx context.Context, n harness.Node) error { return n.Start(ctx) },
}

// pause stops nodes in their tracks and lets them go on when healed.
var pause = Family{
	About:  "stop processes and let them go on",
	Aims:   orHolder(aims),
	Weight: 2,
	Deeds: harness.Deeds{"pause": holdNodes("stop processes", harness.NodePause, harness.State{
		Name: "paused", OfProcess: true,
		Enter: func(ctx context.Context, n harness.Node) error { return n.Pause(ctx) },
		Leave: func(ctx context.Context, n harness.Node) error { return n.Resume(ctx) },
	})},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, drawn(v, aims))
			nodes := targets(r, v, aim)
			if len(up(v, nodes)) < len(nodes) {
				return nil // who is dead cannot be paused; another time, then
			}
			return hitNodes("pause", aim, nodes)
		})
	},
}

// hitNodes is a fault of one deed, which has the family's name, on nodes; nil if there are none.
func hitNodes(family, aim string, nodes []string) *harness.Fault {
	if len(nodes) == 0 {
		return nil
	}
	return &harness.Fault{Family: family, Aim: aim, Nodes: nodes, Deeds: []harness.Deed{{Kind: family, Nodes: nodes}}}
}

// up returns those of some nodes, or companions, that run and have a network.
func up(v harness.View, nodes []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool {
		return !slices.Contains(v.Up, n) && !slices.Contains(v.Companions, n)
	})
}
