package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// holdNodes is a kind of deed that holds nodes in a state in which they do not serve.
func holdNodes(about string, need harness.Capability, s harness.State) harness.DeedKind {
	return harness.DeedKind{
		About: about,
		Needs: []harness.Capability{need},
		Takes: func(d harness.Deed) (history.Takes, error) {
			if _, err := harness.Settings[struct{}](d); err != nil {
				return history.Takes{}, err
			}
			if len(d.Nodes) == 0 || len(d.Links) > 0 {
				return history.Takes{}, errors.New("it is done to nodes, and to at least one")
			}
			return history.Takes{Down: d.Nodes}, nil
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			return in.Hold(ctx, s, d.Nodes...)
		},
	}
}

// impairLinks is a kind of deed that makes links bad. The settings of a deed say how bad, and takes what that comes to.
func impairLinks[T any](
	about string, need harness.Capability, how func(settings T) (harness.Impairment, error),
	takes func(links []harness.Link) history.Takes,
) harness.DeedKind {
	read := func(d harness.Deed) (harness.Impairment, error) {
		settings, err := harness.Settings[T](d)
		if err != nil {
			return harness.Impairment{}, err
		}
		if len(d.Links) == 0 || len(d.Nodes) > 0 {
			return harness.Impairment{}, errors.New("it is done to links, and to at least one")
		}
		return how(settings)
	}
	return harness.DeedKind{
		About: about,
		Needs: []harness.Capability{need},
		Takes: func(d harness.Deed) (history.Takes, error) {
			_, err := read(d)
			return takes(d.Links), err
		},
		Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
			i, err := read(d)
			if err != nil {
				return err
			}
			return in.Impair(ctx, i, d.Links...)
		},
	}
}

// linkFamily is a family of one deed on all links to and from nodes, with settings by shape.
func linkFamily[T any](
	name, about string, shapes []string, settings map[string]T, deed string, kind harness.DeedKind,
) Family {
	return Family{
		About:  about,
		Rare:   true,
		Shapes: shapes,
		Aims:   orHolder(aims),
		Deeds:  harness.Deeds{deed: kind},
		New: func(shape, aim string) harness.Nemesis {
			return aimFunc(func(r *rand.Rand, v harness.View) *harness.Fault {
				aim, shape := draw(r, aim, drawn(v, aims)), draw(r, shape, shapes)
				return hitLinks(v, name, shape, aim, targets(r, v, aim), deed, settings[shape])
			})
		},
	}
}

// often is a family that nemeses which decide for themselves choose like any other.
func often(f Family) Family {
	f.Rare = false
	return f
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
