package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// replace does what operators do when a machine has died: its member is removed, and a new one is added in its place.
// Changes of members are where consensus is hardest to get right (Ongaro's thesis, chapter 4, and the mistake that was
// found in it in 2015).
var replace = Family{
	About: "kill a member, remove it, and add a new one with an empty disk in its place",
	Aims:  []string{one, leader},
	Rare:  true,
	Deeds: harness.Deeds{"replace": {
		About: "kill a member and remove it, and add it anew",
		Needs: []harness.Capability{harness.NodeKill, harness.NodeWipe, harness.NodeRelaunch},
		Asks:  []harness.Capability{harness.ReplaceMember},
		Takes: func(d harness.Deed) (history.Takes, error) {
			if _, err := harness.Settings[struct{}](d); err != nil {
				return history.Takes{}, err
			}
			if len(d.Nodes) != 1 || len(d.Links) > 0 {
				return history.Takes{}, errors.New("it is done to one node")
			}
			return history.Takes{Down: d.Nodes}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			return in.Replace(ctx, d.Nodes[0])
		},
	}},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, []string{one, leader})
			hit := up(v, targets(r, v, aim))
			// Nobody would be left to remove it, another one is being replaced, or no member would be of the version that was
			// launched.
			hit = slices.DeleteFunc(hit, func(n string) bool {
				return len(without(v.Nodes, slices.Concat(v.OfOther, []string{n}))) == 0
			})
			if len(v.Nodes) < 3 || len(v.Out) > 0 || len(hit) == 0 {
				return nil
			}
			return hitNodes("replace", aim, hit[:1])
		})
	},
}
