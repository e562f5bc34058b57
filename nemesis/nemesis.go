// Package nemesis picks faults. Every nemesis is a pure function of seeded randomness and a view
// of the cluster to an aimed fault, so that what it does can be tested without a cluster: a
// thousand seeds take a millisecond.
//
// There is one file a family and one line for it in [All].
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

// Family is one kind of nemesis of the list.
type Family struct {
	About string
	// Shapes and Aims are what can be chosen after ':' and '@'; nil if there is no choice.
	Shapes, Aims []string
	// New returns a nemesis with the given shape and aim. An empty one is drawn anew for each
	// fault.
	New func(shape, aim string) harness.Nemesis
	// Containers says that the faults need nodes in containers.
	Containers bool
}

// All lists the families by name.
var All = map[string]Family{
	"partition": {"cut links between nodes", partitionShapes, partitionAims, newPartition, false},
	"kill":      {"end processes with SIGKILL and start them again", nil, aims, newKill, false},
	"pause":     {"stop processes and let them go on", nil, aims, newPause, false},
	"unplug":    {"pull out nodes' networks, clients' way to them included", nil, aims, newUnplug, true},
	"loss":      {"lose packets at random", lossShapes, aims, newLoss, true},
}

// Words for specs with a name of their own.
var shorthands = map[string]string{
	"mix":  "partition,kill,pause",
	"none": "",
}

// Parse reads a spec into lanes. A spec is a list of lanes joined by "+", which act side by side; a
// lane is a list of nemeses joined by ",", of which one is drawn for each fault; a nemesis is
// "family", "family:shape", "family@aim" or "family:shape@aim". A lane holds and rests as given,
// unless it ends in "=hold/rest". "mix" is short for "partition,kill,pause", and "none" is no lane.
func Parse(spec string, hold, rest time.Duration) ([]harness.Lane, error) {
	var lanes []harness.Lane
	for lane := range strings.SplitSeq(spec, "+") {
		hold, rest := hold, rest
		lane, rhythm, own := strings.Cut(lane, "=")
		if own {
			var err error
			if hold, rest, err = parseRhythm(rhythm); err != nil {
				return nil, fmt.Errorf("nemesis %q: %w", spec, err)
			}
		}
		if long, ok := shorthands[lane]; ok {
			lane = long
		}
		if lane == "" {
			continue
		}
		var mixed mix
		containers := false
		for one := range strings.SplitSeq(lane, ",") {
			n, family, err := parseOne(one)
			if err != nil {
				return nil, fmt.Errorf("nemesis %q: %w", spec, err)
			}
			mixed = append(mixed, n)
			containers = containers || family.Containers
		}
		lanes = append(lanes, harness.Lane{Name: lane, Nemesis: mixed, Hold: hold, Rest: rest, Containers: containers})
	}
	if len(lanes) == 0 && spec != "none" {
		return nil, errors.New(`no nemesis is named; if that is what you want, say "none"`)
	}
	return lanes, nil
}

// CanAct reports whether a nemesis ever finds anything to do to so many nodes, all of which run, and any of which may
// lead.
func CanAct(n harness.Nemesis, nodes []string) bool {
	r := rand.New(rand.NewPCG(1, 1)) // whether it can is no matter of chance
	for i := range 1000 {
		lead := nodes[i%len(nodes)]
		if n.Next(r, harness.View{Nodes: nodes, Up: nodes, Leaders: []string{lead}}) != nil {
			return true
		}
	}
	return false
}

func parseRhythm(text string) (hold, rest time.Duration, err error) {
	first, second, ok := strings.Cut(text, "/")
	if ok {
		hold, err = time.ParseDuration(first)
	}
	if ok && err == nil {
		rest, err = time.ParseDuration(second)
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("rhythm %q is not of the form hold/rest, such as 2s/500ms", text)
	}
	return hold, rest, nil
}

func parseOne(text string) (harness.Nemesis, Family, error) {
	rest, aim, aimed := strings.Cut(text, "@")
	name, shape, shaped := strings.Cut(rest, ":")
	family, ok := All[name]
	switch {
	case !ok:
		return nil, family, fmt.Errorf("unknown family %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(All)), ", "))
	case shaped && !slices.Contains(family.Shapes, shape):
		return nil, family, choice(name, "shape", shape, family.Shapes)
	case aimed && !slices.Contains(family.Aims, aim):
		return nil, family, choice(name, "aim", aim, family.Aims)
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
func (m mix) Next(r *rand.Rand, v harness.View) harness.Fault {
	return m[r.IntN(len(m))].Next(r, v)
}

// aimFunc is a nemesis that is nothing but its function.
type aimFunc func(r *rand.Rand, v harness.View) harness.Fault

// Next implements [harness.Nemesis].
func (f aimFunc) Next(r *rand.Rand, v harness.View) harness.Fault { return f(r, v) }
