package harness

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sunder-dev/sunder/harness/history"
)

// Fault is a fault that is aimed: data, which can be written down, read and done again.
type Fault struct {
	// Family is the nemesis that it comes from, and Shape and Aim what was chosen of it: "partition", "halves",
	// "leader". They are for people; what is done are the deeds.
	Family string `json:"family"`
	Shape  string `json:"shape,omitempty"`
	Aim    string `json:"aim,omitempty"`
	// Nodes are those that it is aimed at: the killed, the isolated, the smaller side.
	Nodes []string `json:"nodes,omitempty"`
	Deeds []Deed   `json:"deeds"`
}

// Deed is one thing that is done to nodes or links.
type Deed struct {
	Kind  string   `json:"deed"` // "kill", "cut": a name in [Deeds]
	Nodes []string `json:"nodes,omitempty"`
	Links []Link   `json:"links,omitempty"`
	// With are the settings of the kind, an object: {"share":0.5}.
	With json.RawMessage `json:"with,omitempty"`
}

// Name is how a fault is called, as on the command line: "partition:halves".
func (f Fault) Name() string {
	if f.Shape == "" {
		return f.Family
	}
	return f.Family + ":" + f.Shape
}

// DeedKind is one kind of deed.
type DeedKind struct {
	About string
	// Needs is what the fleet must be able to do, and Asks what the target's members must be.
	Needs, Asks []Capability
	// Operation says that members are asked to do something: nothing is taken from the cluster, and nothing undone.
	Operation bool
	// Takes says what a deed takes from the cluster while it is in force. It is pure, and refuses settings that it
	// does not know.
	Takes func(d Deed) (history.Takes, error)
	// Do does the deed by the means of in, which undoes it, and returns once it is seen to act. An error means that it was
	// not, or not as it should; what was begun is undone all the same.
	Do func(ctx context.Context, in *Injection, d Deed) error
}

// Deeds are the kinds of deeds that a run knows, by name.
type Deeds map[string]DeedKind

// Check says what is wrong with a fault on a cluster of the given nodes: deeds that nobody knows, settings that cannot
// be meant, nodes that are not there. Nothing is done.
func (k Deeds) Check(f Fault, nodes []string) error {
	_, err := k.takes(f, nodes)
	return err
}

// Needs returns what the deeds of a fault need, together.
func (k Deeds) Needs(f Fault) (needs []Capability) {
	for _, d := range f.Deeds {
		needs = append(append(needs, k[d.Kind].Needs...), k[d.Kind].Asks...)
	}
	return needs
}

func (k Deeds) takes(f Fault, nodes []string) (all history.Takes, err error) {
	if f.Name() == history.FHeal {
		return all, fmt.Errorf("a fault cannot be called %q", history.FHeal)
	}
	if f.Family == "" || len(f.Deeds) == 0 {
		return all, errors.New("a fault has a family, and at least one deed")
	}
	for _, d := range f.Deeds {
		kind, ok := k[d.Kind]
		if !ok {
			return all, fmt.Errorf("fault %s: there is no deed %q", f.Name(), d.Kind)
		}
		for _, n := range slices.Concat(d.Nodes, f.Nodes, ends(d.Links)) {
			if !slices.Contains(nodes, n) {
				return all, fmt.Errorf("fault %s: %q is no node of this cluster, which has %v", f.Name(), n, nodes)
			}
		}
		for _, l := range d.Links {
			if l.From == l.To {
				return all, fmt.Errorf("fault %s: there is no link %v", f.Name(), l)
			}
		}
		takes, err := kind.Takes(d)
		if err != nil {
			return all, fmt.Errorf("fault %s: %s: %w", f.Name(), d.Kind, err)
		}
		all = all.And(takes)
	}
	return all, nil
}

// do does the deeds of a fault, one after the other, in their order.
func (k Deeds) do(ctx context.Context, in *Injection, f Fault) error {
	for i, d := range f.Deeds {
		in.next(i)
		if err := k[d.Kind].Do(ctx, in, d); err != nil {
			return fmt.Errorf("%s: %w", d.Kind, err)
		}
	}
	return nil
}

// Settings reads what a deed is to be done with. A field that is not known is an error.
func Settings[T any](d Deed) (settings T, err error) {
	text := cmp.Or(string(d.With), "{}")
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return settings, fmt.Errorf("with %s: %w", text, err)
	}
	return settings, nil
}

func ends(links []Link) (nodes []string) {
	for _, l := range links {
		nodes = append(nodes, l.From, l.To)
	}
	return nodes
}
