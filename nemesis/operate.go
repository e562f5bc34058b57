package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// What operators ask of members while they serve. None of it takes anything from the cluster, and all of it is made to
// be harmless.
var (
	moveLeader = operation("move-leader", "let the leader hand leadership over to another member", harness.MoveLeader)
	defragment = operation("defragment", "let members rewrite what they store, to give space back", harness.Defragment)
	snapshot   = operation("snapshot", "save a snapshot of a member's state, and throw it away", harness.SaveSnapshot)
	compact    = operation("compact", "let the cluster forget all but the newest version of each key", harness.Compact)
)

// operationTimeout is how long a member may take.
const operationTimeout = 5 * time.Second

// operation is the family of a call of operators' to members.
func operation(name, about string, call harness.Capability) Family {
	f := Family{
		About: about, Aims: aims, Rare: true,
		Deeds: harness.Deeds{name: {
			About: about,
			Asks:  []harness.Capability{call}, Operation: true,
			Takes: func(d harness.Deed) (history.Takes, error) {
				if _, err := harness.Settings[struct{}](d); err != nil {
					return history.Takes{}, err
				}
				if len(d.Nodes) == 0 || len(d.Links) > 0 {
					return history.Takes{}, errors.New("it is asked of nodes, and of at least one")
				}
				return history.Takes{}, nil
			},
			Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
				return operate(ctx, in, call, d.Nodes)
			},
		}},
		New: func(_, aim string) harness.Nemesis {
			return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
				aim := draw(r, aim, aims)
				return hitNodes(name, aim, without(up(v, targets(r, v, aim)), v.Stranded))
			})
		},
	}
	if call == harness.MoveLeader { // of which others have nothing to give
		f.Aims = []string{leader}
		f.New = func(_, aim string) harness.Nemesis {
			return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
				if named(aim) == nil {
					aim = leader
				}
				return hitNodes(name, aim, without(up(v, targets(r, v, aim)), v.Stranded))
			})
		}
	}
	return f
}

// operate asks nodes, one after the other. It has acted if one of them says that it did it. Where none does, the fault
// is left out of the count: nothing is taken from the cluster by it, whether or not one did it without saying so.
func operate(ctx context.Context, in *harness.Injection, call harness.Capability, nodes []string) error {
	target, ok := in.Target().(harness.Operated)
	if !ok {
		return fmt.Errorf("the target does not say how members are asked: %w", harness.ErrUnsupported)
	}
	outcomes, acted := make(map[string]string), false
	for _, n := range nodes {
		asking, cancel := context.WithTimeout(ctx, operationTimeout)
		switch err := target.Operate(asking, in.Node(n), call); {
		case err == nil:
			outcomes[n], acted = "done", true
		case errors.Is(err, harness.ErrNotApplied):
			outcomes[n] = "refused: " + err.Error()
		default:
			outcomes[n] = "in doubt: " + err.Error()
		}
		cancel()
	}
	if !acted {
		in.DidNot("outcome", outcomes)
		return fmt.Errorf("no node says that it did it: %v", outcomes)
	}
	in.Saw("outcome", outcomes)
	return nil
}
