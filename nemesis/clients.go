package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// The shapes of what is between clients and nodes: what they ask is lost, what they are answered, or both.
const (
	asked    = "requests"
	answered = "answers"
	bothWays = "both"
)

var clientShapes = []string{asked, answered, bothWays}

// cutClients cuts clients off from some nodes, while the nodes still reach each other.
var cutClients = Family{
	About:  "cut clients off from nodes that still reach each other",
	Shapes: clientShapes,
	Aims:   []string{one, leader, minority},
	Rare:   true,
	Deeds: harness.Deeds{"strand": {
		About: "cut clients off from nodes",
		Needs: []harness.Capability{harness.ClientCut},
		Takes: func(d harness.Deed) (history.Takes, error) {
			if _, err := wayOf(d); err != nil {
				return history.Takes{}, err
			}
			if len(d.Nodes) == 0 || len(d.Links) > 0 {
				return history.Takes{}, errors.New("it is done to nodes, and to at least one")
			}
			return history.Takes{Stranded: d.Nodes}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			way, err := wayOf(d)
			if err != nil {
				return err
			}
			var links []harness.Link
			for _, n := range d.Nodes {
				if way != answered {
					links = append(links, harness.Link{From: history.Clients, To: n})
				}
				if way != asked {
					links = append(links, harness.Link{From: n, To: history.Clients})
				}
			}
			return in.Impair(ctx, harness.Impairment{Drop: true}, links...)
		},
	}},
	New: func(shape, aim string) harness.Nemesis {
		return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
			aim, shape := draw(r, aim, []string{one, leader, minority}), draw(r, shape, clientShapes)
			f := hitNodes("clients", aim, up(v, targets(r, v, aim)))
			if f != nil {
				f.Shape = shape
				f.Deeds = []harness.Deed{{Kind: "strand", Nodes: f.Nodes, With: []byte(fmt.Sprintf(`{"lost":%q}`, shape))}}
			}
			return f
		})
	},
}

// wayOf reads what of a deed's is lost: requests, answers, or both.
func wayOf(d harness.Deed) (way string, err error) {
	settings, err := harness.Settings[struct {
		Lost string `json:"lost"`
	}](d)
	if err == nil && !slices.Contains(clientShapes, settings.Lost) {
		err = fmt.Errorf("lost is %q: one of %v", settings.Lost, clientShapes)
	}
	return settings.Lost, err
}
