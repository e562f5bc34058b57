// Package nemesis picks faults. Every nemesis is a pure function of seeded randomness and a view
// of the cluster to an aimed fault, so that what it does can be tested without a cluster: a
// thousand seeds take a millisecond.
//
// There is one file a family and one line for it in [Default].
package nemesis

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Family is one kind of nemesis.
type Family struct {
	About string
	// Shapes and Aims are what can be chosen after ':' and '@'; nil if there is no choice.
	Shapes, Aims []string
	// Weight is how often nemeses that decide for themselves draw it, beside others; 0 is 1.
	Weight int
	// Rare says that its faults take little from a cluster: nemeses that decide for themselves choose them now and then.
	Rare bool
	// Unsafe says that its faults are expected to break what systems promise: only those who name it get it.
	Unsafe bool
	// Deeds are the kinds of deeds that the faults are made of.
	Deeds harness.Deeds
	// New returns a nemesis with the given shape and aim. An empty one is drawn anew for each
	// fault.
	New func(shape, aim string) harness.Nemesis
}

// Needs returns what the faults of a family need.
func (f Family) Needs() []harness.Capability { return harness.Lane{Deeds: f.Deeds}.Needs() }

// Asks returns what its faults need of the target, whose members are asked to do something.
func (f Family) Asks() (needs []harness.Capability) {
	for _, d := range f.Deeds {
		needs = append(needs, d.Asks...)
	}
	return needs
}

// Families are the families that there are, by name.
type Families map[string]Family

// Default returns the families of sunder.
func Default() Families {
	return Families{
		"partition":   partition,
		"kill":        kill,
		"pause":       pause,
		"unplug":      unplug,
		"loss":        loss,
		"delay":       delay,
		"rate":        rate,
		"flaky":       flaky,
		"reorder":     reorder,
		"duplicate":   duplicate,
		"corrupt":     corrupt,
		"clients":     cutClients,
		"amnesia":     amnesia,
		"move-leader": moveLeader,
		"compact":     compact,
		"defragment":  defragment,
		"snapshot":    snapshot,
		"replace":     replace,
		"version":     otherVersion,
	}
}

// Names returns the names of all families, sorted.
func (all Families) Names() []string { return slices.Sorted(maps.Keys(all)) }

// Deeds returns the kinds of deeds of all families.
func (all Families) Deeds() harness.Deeds {
	deeds := harness.Deeds{}
	for _, f := range all {
		maps.Copy(deeds, f.Deeds)
	}
	return deeds
}

// Words for specs with a name of their own.
const (
	mixWord  = "mix"
	mixSpec  = "partition,kill,pause"
	noneWord = "none"
)

// Parse reads a spec into lanes. A spec is a list of lanes joined by "+", which act side by side; a lane is a list of
// nemeses joined by ",", of which one is drawn for each fault; a nemesis is "family", "family:shape", "family@aim" or
// "family:shape@aim", where an aim may also be the names of nodes, "n1:n3". A lane holds and rests as given, unless it
// ends in "=hold/rest" or "=hold/rest/trigger". "mix" is short for "partition,kill,pause", and "none" is no lane.
// "swarm" and "watch" are lanes that decide for themselves what they do, and when.
func (all Families) Parse(spec string, hold, rest time.Duration) ([]harness.Lane, error) {
	var lanes []harness.Lane
	for text := range strings.SplitSeq(spec, "+") {
		name, rhythm, own := strings.Cut(text, "=")
		if name == "" || name == noneWord {
			continue
		}
		direct, err := all.director(name)
		if err != nil {
			return nil, fmt.Errorf("nemesis %q: %w", spec, err)
		}
		if direct != nil {
			if own {
				return nil, fmt.Errorf("nemesis %q: %s has a rhythm of its own", spec, name)
			}
			lanes = append(lanes, harness.Lane{Name: name, Direct: direct, Deeds: all.Deeds()})
			continue
		}
		lane, err := all.parseLane(name)
		if err != nil {
			return nil, fmt.Errorf("nemesis %q: %w", spec, err)
		}
		lane.Hold, lane.Rest = hold, rest
		if own {
			if lane.Hold, lane.Rest, lane.When, err = parseRhythm(rhythm); err != nil {
				return nil, fmt.Errorf("nemesis %q: %w", spec, err)
			}
		}
		lanes = append(lanes, lane)
	}
	if len(lanes) == 0 && spec != noneWord {
		return nil, errors.New(`no nemesis is named; if that is what you want, say "none"`)
	}
	return lanes, nil
}

// parseLane reads a list of nemeses that take turns.
func (all Families) parseLane(list string) (harness.Lane, error) {
	lane := harness.Lane{Name: list, Deeds: harness.Deeds{}}
	var turns mix
	var specs []string
	for one := range strings.SplitSeq(list, ",") {
		if one == mixWord {
			one = mixSpec
		}
		specs = append(specs, strings.Split(one, ",")...)
	}
	for _, one := range specs {
		n, family, err := all.parseOne(one)
		if err != nil {
			return lane, err
		}
		turns = append(turns, n)
		if strings.HasSuffix(one, "@"+leader) {
			lane.Aiming = append(lane.Aiming, harness.Leader)
		}
		lane.Aiming = append(lane.Aiming, family.Asks()...)
		maps.Copy(lane.Deeds, family.Deeds)
	}
	lane.Nemesis = turns
	return lane, nil
}

func parseRhythm(text string) (hold, rest time.Duration, when *harness.Trigger, err error) {
	parts := strings.SplitN(text, "/", 3)
	if len(parts) > 1 {
		hold, err = time.ParseDuration(parts[0])
	}
	if len(parts) > 1 && err == nil {
		rest, err = time.ParseDuration(parts[1])
	}
	if len(parts) < 2 || err != nil {
		return 0, 0, nil, fmt.Errorf("rhythm %q is not of the form hold/rest or hold/rest/trigger, such as 2s/500ms or "+
			"1s/0s/leader-elected", text)
	}
	if len(parts) == 3 {
		t, err := harness.ParseTrigger(parts[2])
		return hold, rest, &t, err
	}
	return hold, rest, nil, nil
}

// parseOne reads "family:shape@aim".
func (all Families) parseOne(text string) (harness.Nemesis, Family, error) {
	rest, aim, aimed := strings.Cut(text, "@")
	name, shape, shaped := strings.Cut(rest, ":")
	family, ok := all[name]
	switch {
	case name == swarmSpec || name == watchSpec:
		return nil, family, fmt.Errorf(
			`%s decides for itself what it does: it is a lane of its own, without aim, which "+" joins to `+
				"others",
			name,
		)
	case !ok:
		return nil, family, fmt.Errorf("unknown family %q; known are %s", name, strings.Join(all.Names(), ", "))
	case shaped && !slices.Contains(family.Shapes, shape):
		return nil, family, choice(name, "shape", shape, family.Shapes)
	case aimed && !slices.Contains(family.Aims, aim) && (family.Aims == nil || named(aim) == nil):
		return nil, family, choice(name, "aim", aim, family.Aims)
	case aimed && !slices.Contains(family.Aims, holder) && namesCompanion(aim):
		return nil, family, fmt.Errorf("%s is done to members of the cluster, and %s names a client", name, aim)
	}
	return family.New(shape, aim), family, nil
}

func choice(family, what, got string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("%s has no %s to choose", family, what)
	}
	return fmt.Errorf("%s has no %s %q; known are %s", family, what, got, strings.Join(known, ", "))
}

// mix draws one of several nemeses for each fault.
type mix []harness.Nemesis

// Next implements [harness.Nemesis].
func (m mix) Next(r *rand.Rand, v harness.View) *harness.Fault {
	return m[r.IntN(len(m))].Next(r, v)
}

// aimFunc is a nemesis that is nothing but its function.
type aimFunc func(r *rand.Rand, v harness.View) *harness.Fault

// Next implements [harness.Nemesis].
func (f aimFunc) Next(r *rand.Rand, v harness.View) *harness.Fault { return f(r, v) }
