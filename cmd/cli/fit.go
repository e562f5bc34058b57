package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/harness"
)

// fleetAuto is the name of no fleet: the lightest that can do what is needed is taken.
const fleetAuto = "auto"

// demand is what a part of a run needs.
type demand struct {
	name  string // "nemesis loss"
	needs []harness.Capability
}

// demandsOf returns what the target and the lanes of a run need of its fleet.
func demandsOf(name string, t harness.Target, lanes []demand) []demand {
	var all []demand
	if n, ok := t.(harness.Needer); ok {
		all = append(all, demand{"target " + name, n.Needs()})
	}
	for _, l := range lanes {
		all = append(all, demand{l.name, harness.Missing(l.needs, t.Can())})
	}
	return all
}

// fits says what keeps those who demand it from running on a fleet, or nil.
func (c Catalogue) fits(fleet string, demands []demand) error {
	for _, p := range demands {
		if err := harness.Fit(p.name, p.needs, "fleet "+fleet, c.Fleets[fleet].Can); err != nil {
			return err
		}
	}
	return nil
}

// fleetsByWeight returns the names of all fleets, the lightest first.
func (c Catalogue) fleetsByWeight() []string {
	return slices.SortedFunc(maps.Keys(c.Fleets), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Fleets[a].Weight, c.Fleets[b].Weight), strings.Compare(a, b))
	})
}

// fittingFleets returns the fleets that a run can be on, the lightest first, and why in a few words: the one that was
// asked for, or all that can do what is needed. Those that were not asked for by an option of theirs are left out, if
// any was.
func (c Catalogue) fittingFleets(
	asked string, demands []demand, options *entryOptions,
) (fit []string, why string, err error) {
	if asked != fleetAuto {
		if _, ok := c.Fleets[asked]; !ok {
			return nil, "", fmt.Errorf("--fleet: %w", unknown("fleet", asked, append(sorted(c.Fleets), fleetAuto)))
		}
		if err := c.fits(asked, demands); err != nil {
			return nil, "", fmt.Errorf("--fleet %s: %w%s", asked, err, c.others(demands))
		}
		return []string{asked}, "as asked for", nil
	}
	candidates := c.fleetsByWeight()
	wanted := slices.DeleteFunc(
		slices.Clone(candidates),
		func(name string) bool { return !options.given(owner{"fleet", name}) },
	)
	if len(wanted) > 0 {
		candidates, why = wanted, "has the options that were given"
	}
	for _, name := range candidates {
		switch unfit := c.fits(name, demands); {
		case unfit == nil:
			fit = append(fit, name)
		case err == nil:
			err = unfit
		}
	}
	if len(fit) == 0 {
		return nil, "", fmt.Errorf("--fleet: %w%s", err, c.others(demands))
	}
	if err != nil {
		why = cmp.Or(why, err.Error())
	}
	return fit, cmp.Or(why, "can do all that is needed"), nil
}

// others says which fleets would do.
func (c Catalogue) others(demands []demand) string {
	fit := slices.DeleteFunc(c.fleetsByWeight(), func(name string) bool { return c.fits(name, demands) != nil })
	if len(fit) == 0 {
		return "; no fleet has all that is needed"
	}
	return "; use --fleet " + strings.Join(fit, " or ")
}

// fit is one cell of the matrix of all that there is.
type fit struct {
	Target   string `json:"target"`
	Workload string `json:"workload"`
	Nemesis  string `json:"nemesis"`
	Fleet    string `json:"fleet"`
	// Hole is why they do not run together; empty if they do.
	Hole string `json:"hole,omitempty"`
}

// matrix computes what runs together: target x workload x nemesis x fleet, each with its default options.
func (c Catalogue) matrix() (all []fit, err error) {
	options := newEntryOptions(c, pflag.NewFlagSet("", pflag.ContinueOnError))
	for _, target := range slices.Sorted(maps.Keys(c.Targets)) {
		t, err := options.targets[target](harness.TargetConfig{Version: c.Targets[target].Version})
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", target, err)
		}
		for _, workload := range slices.Sorted(maps.Keys(c.Workloads)) {
			w, err := options.workloads[workload](0)
			if err != nil {
				return nil, fmt.Errorf("workload %s: %w", workload, err)
			}
			unfit := harness.Fit("workload "+workload, w.Needs(), "target "+target, harness.ClientsCan(t))
			for _, nemesis := range c.Nemeses.Names() {
				unfit := cmp.Or(unfit, harness.Fit("nemesis "+nemesis, c.Nemeses[nemesis].Asks(), "target "+target, t.Can()))
				lane := demand{"nemesis " + nemesis, c.Nemeses[nemesis].Needs()}
				for _, fleet := range c.fleetsByWeight() {
					cell := fit{Target: target, Workload: workload, Nemesis: nemesis, Fleet: fleet}
					hole := unfit
					if hole == nil {
						hole = c.fits(fleet, demandsOf(target, t, []demand{lane}))
					}
					if hole != nil {
						cell.Hole = hole.Error()
					}
					all = append(all, cell)
				}
			}
		}
		if err := closeTarget(t); err != nil {
			return nil, err
		}
	}
	return all, nil
}
