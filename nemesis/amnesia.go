package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// amnesia ends nodes and takes their disks from them: they come back as the members that they were, and know nothing of
// what they have voted for and acknowledged. No consensus survives that of too many (Ongaro's thesis, 11.7.3: a server
// that loses its disk must not come back under its name), so no nemesis does it that was not asked to.
var amnesia = Family{
	About:  "end nodes, and let them come back with empty disks as the members that they were; expected to break safety",
	Aims:   aims,
	Unsafe: true,
	Deeds: harness.Deeds{"amnesia": {
		About: "end processes, and wipe their disks",
		Needs: []harness.Capability{harness.NodeKill, harness.NodeWipe},
		Takes: func(d harness.Deed) (history.Takes, error) {
			if _, err := harness.Settings[struct{}](d); err != nil {
				return history.Takes{}, err
			}
			if len(d.Nodes) == 0 || len(d.Links) > 0 {
				return history.Takes{}, errors.New("it is done to nodes, and to at least one")
			}
			return history.Takes{Down: d.Nodes, Disk: d.Nodes}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			if err := in.Hold(ctx, killed, d.Nodes...); err != nil {
				return err
			}
			wiped := make(map[string]int64)
			for _, n := range d.Nodes {
				w, ok := in.Node(n).(harness.Wiper)
				if !ok {
					return fmt.Errorf("the disk of a node of this fleet cannot be wiped: %w", harness.ErrUnsupported)
				}
				bytes, err := w.Wipe(ctx)
				if err != nil {
					return err
				}
				if wiped[n] = bytes; bytes == 0 {
					return fmt.Errorf("there was nothing on the disk of %s", n)
				}
			}
			in.Saw("wiped_bytes", wiped)
			return nil
		},
	}},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, aims)
			return hitNodes("amnesia", aim, up(v, targets(r, v, aim)))
		})
	},
}
