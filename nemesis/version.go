package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// otherVersion restarts members with another version of the server, and with the one that they had when it is healed: a
// rolling upgrade, half of it, and a downgrade.
var otherVersion = Family{
	About: "restart members with another version of the server, and back",
	Aims:  []string{one, leader, minority},
	Deeds: harness.Deeds{"run-version": {
		About: "restart members with another version of the server",
		Needs: []harness.Capability{harness.NodeKill, harness.NodeRelaunch},
		Asks:  []harness.Capability{harness.MixVersions},
		Takes: func(d harness.Deed) (history.Takes, error) {
			s, err := harness.Settings[versionSettings](d)
			if err != nil {
				return history.Takes{}, err
			}
			if len(d.Nodes) == 0 || len(d.Links) > 0 || s.Version == "" {
				return history.Takes{}, errors.New("it is done to nodes, to at least one, and needs a version")
			}
			return history.Takes{Version: d.Nodes}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			s, err := harness.Settings[versionSettings](d)
			if err != nil {
				return err
			}
			return in.RunVersion(ctx, s.Version, d.Nodes...)
		},
	}},
	New: func(_, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim := draw(r, aim, []string{one, leader, minority})
			f := hitNodes("version", aim, without(up(v, targets(r, v, aim)), slices.Concat(v.Stranded, v.OfOther)))
			if f == nil || len(v.OtherVersions) == 0 || len(f.Nodes)+len(v.OfOther) >= len(v.Nodes) {
				return nil // ... and one stays what it is
			}
			with, err := json.Marshal(versionSettings{v.OtherVersions[r.IntN(len(v.OtherVersions))]})
			if err != nil {
				return nil // a text
			}
			f.Deeds = []harness.Deed{{Kind: "run-version", Nodes: f.Nodes, With: with}}
			return f
		})
	},
}

type versionSettings struct {
	Version string `json:"version"`
}
