package nemesis

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
)

// Kill ends nodes at once, as a crash does, and starts them again when healed.
type Kill struct {
	Aim   string   `json:"aim"`
	Nodes []string `json:"nodes"`
}

// Kind implements [harness.Fault].
func (Kill) Kind() string { return "kill" }

// Inject implements [harness.Fault].
func (f Kill) Inject(ctx context.Context, in *harness.Injection) error {
	return in.Kill(ctx, f.Nodes...)
}

func newKill(_, aim string) harness.Nemesis {
	return aimFunc(func(r *rand.Rand, v harness.View) harness.Fault {
		aim := draw(r, aim, aims)
		nodes := slices.DeleteFunc(targets(r, v, aim), func(n string) bool { return !slices.Contains(v.Up, n) })
		if len(nodes) == 0 {
			return nil // they are down already
		}
		return Kill{Aim: aim, Nodes: nodes}
	})
}

// Pause stops nodes in their tracks and lets them go on when healed.
type Pause struct {
	Aim   string   `json:"aim"`
	Nodes []string `json:"nodes"`
}

// Kind implements [harness.Fault].
func (Pause) Kind() string { return "pause" }

// Inject implements [harness.Fault].
func (f Pause) Inject(ctx context.Context, in *harness.Injection) error {
	return in.Pause(ctx, f.Nodes...)
}

func newPause(_, aim string) harness.Nemesis {
	return aimFunc(func(r *rand.Rand, v harness.View) harness.Fault {
		aim := draw(r, aim, aims)
		nodes := targets(r, v, aim)
		dead := func(n string) bool { return !slices.Contains(v.Up, n) }
		if len(nodes) == 0 || slices.ContainsFunc(nodes, dead) {
			return nil // who is dead cannot be paused; another time, then
		}
		return Pause{Aim: aim, Nodes: nodes}
	})
}
