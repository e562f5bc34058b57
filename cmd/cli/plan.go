package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads"
)

// plan is a run that is put together, and has not begun.
type plan struct {
	test *harness.Test
	// fleets are those that it can be on, and why the first of them is. Which of them it is, [plan.settle] finds out.
	fleets []string
	why    string
	config harness.FleetConfig
	// profile is who drew what is in drawn, as flags.
	profile string
	drawn   map[string]string
}

// try says what is wrong with the arguments of a run, and runs nothing.
func (a app) try(args []string) error {
	f := runFlags{app: a}
	cmd := a.newRun(&f)
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	p, err := f.plan(cmd.Flags())
	if err != nil {
		return err
	}
	return closeTarget(p.test.Target)
}

// closeTarget ends what a target holds open, if it does.
func closeTarget(t harness.Target) error {
	if c, ok := t.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// plan puts the run together. Its errors are about flags.
func (f *runFlags) plan(flags *pflag.FlagSet) (*plan, error) {
	name, versions, entry, err := f.findTarget(f.target)
	if err != nil {
		return nil, fmt.Errorf("--target: %w", err)
	}
	if f.expect != "" {
		if err := f.expect.Check(f.Checkers); err != nil {
			return nil, fmt.Errorf("--expect: %w", err)
		}
	}
	if len(f.bugs) > 0 && len(entry.Bugs) == 0 {
		return nil, fmt.Errorf("--bug: no bugs can be planted in %s; 'sunder list bugs' shows those that there are", name)
	}
	if err := f.settleSites(flags); err != nil {
		return nil, err
	}
	chosen := f.profile
	drawn, err := f.draw(flags, entry)
	if err != nil {
		return nil, err
	}
	newTarget := f.options.targets[name]
	if f.described(f.target) {
		newTarget = entry.New(flag.NewFlagSet(name, flag.ContinueOnError))
	}
	target, err := newTarget(harness.TargetConfig{
		Version: versions[0], OtherVersions: versions[1:], Flags: f.targetFlags, Bugs: f.bugs,
	})
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", name, err)
	}
	p, err := f.around(name, versions, entry, target, flags)
	if err != nil {
		return nil, errors.Join(err, closeTarget(target))
	}
	p.profile, p.drawn = chosen, drawn
	return p, nil
}

// around puts workload, faults and fleet around a target.
func (f *runFlags) around(
	name string, versions []string, entry harness.TargetEntry, target harness.Target, flags *pflag.FlagSet,
) (*plan, error) {
	if _, err := find("workload", f.Workloads, f.workload); err != nil {
		return nil, fmt.Errorf("--workload: %w", err)
	}
	workload, err := f.options.workloads[f.workload](f.seed)
	if err != nil {
		return nil, fmt.Errorf("workload %s: %w", f.workload, err)
	}
	if err := harness.Fit("workload "+f.workload, workload.Needs(), "target "+name, harness.ClientsCan(target)); err != nil {
		if lacks := (harness.Lacks{}); errors.As(err, &lacks) && slices.Equal(lacks.What, []harness.Capability{harness.CAS}) {
			err = fmt.Errorf("%w; --mix read=50,write=50 does without", err)
		}
		return nil, fmt.Errorf("--workload: %w", err)
	}
	test := &harness.Test{
		Target: target, OtherVersions: versions[1:], Workload: workload, Sites: harness.Sites{Sizes: f.sites},
		Nodes: f.nodes, Clients: f.clients, Rate: f.rate,
		TimeLimit: f.timeLimit, OpTimeout: f.opTimeout, LaunchTimeout: f.launchTimeout, RecoverTimeout: f.recoverTimeout,
		Seed: f.seed, Deeds: f.Nemeses.Deeds(), FailFast: f.failFast,
		About: history.Test{
			Started: time.Now(), Target: strings.TrimSuffix(name+"@"+strings.Join(versions, ","), "@"),
			Workload: f.workload, Nemesis: f.nemesis,
			Bug: strings.Join(f.bugs, ","), Hunt: f.huntOf(f.bugs), Command: f.command(flags), Options: optionsOf(flags),
			Build: sunder.BuildInfo(),
		},
	}
	if f.byHand {
		test.About.Nemesis = strings.TrimPrefix(f.nemesis+"+"+byHandNemesis, "none+")
	}
	if f.clients == 0 {
		test.Clients = 2 * f.nodes
	}
	test.Roam = f.roam
	if len(f.sites) > 0 {
		test.Sites.Apart = f.sitesApart
	}
	switch f.load {
	case loadSteady:
	case loadTides:
		if flags.Changed("rate") {
			return nil, fmt.Errorf("--rate is of --load %s; %s draws how fast calls come", loadSteady, loadTides)
		}
		test.Tide = workloads.Tides(f.seed, test.Clients)
	default:
		return nil, fmt.Errorf("--load: %s or %s, not %q", loadSteady, loadTides, f.load)
	}
	if test.MinRate, err = f.leastRate(flags); err != nil {
		return nil, err
	}
	if _, ok := workload.(harness.Paced); ok && !flags.Changed("min-rate") {
		test.MinRate = 0 // it says so itself
	}
	lanes, err := f.faults(flags, test, name)
	if err != nil {
		return nil, err
	}
	if test.Sites.Apart > 0 {
		lanes = append(lanes, demand{"--sites", []harness.Capability{harness.LinkDelay}})
	}
	p := &plan{test: test, config: harness.FleetConfig{
		Target: entry, Version: versions[0], OtherVersions: versions[1:], Sunder: test.About.Build["sunder"], Nodes: f.nodes,
	}}
	if timed, ok := target.(harness.Timed); ok {
		timing := timed.Timing()
		p.config.Timing = &timing
	}
	if p.fleets, p.why, err = f.fittingFleets(f.fleet, demandsOf(name, target, lanes), f.options); err != nil {
		return nil, err
	}
	var unfit error
	p.fleets = slices.DeleteFunc(p.fleets, func(fleet string) bool {
		err := f.options.foreign(owner{"target", name}, owner{"fleet", fleet}, owner{"workload", f.workload})
		if err == nil {
			err = f.options.fleets[fleet].Check(p.config)
		}
		if unfit == nil {
			unfit = err
		}
		return err != nil
	})
	if len(p.fleets) == 0 {
		return nil, unfit
	}
	test.About.Fleet = p.fleets[0]
	return p, test.Validate()
}

// settle settles on a fleet that is available on this machine. Of several that would do, the first is.
func (p *plan) settle(ctx context.Context, options *entryOptions) error {
	if len(p.fleets) == 1 {
		return nil // what it lacks, it says itself
	}
	var lacks []string
	for _, name := range p.fleets {
		err := options.fleets[name].Available(ctx, p.config)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			p.test.About.Fleet = name
			if len(lacks) > 0 {
				p.why = strings.Join(lacks, "; ")
			}
			return nil
		}
		lacks = append(lacks, fmt.Sprintf("not %s: %v", name, err))
	}
	return fmt.Errorf("no fleet is available that could run it:\n  %s\n'sunder doctor' says more",
		strings.Join(lacks, "\n  "))
}

// faults sets the lanes of a test, or its schedule, and returns what they need.
func (f *runFlags) faults(flags *pflag.FlagSet, test *harness.Test, target string) (needs []demand, err error) {
	if f.schedule != "" {
		if flags.Changed("nemesis") {
			return nil, errors.New("--schedule has the faults; --nemesis cannot be given beside it")
		}
		if test.Schedule, err = f.Nemeses.ReadSchedule(f.schedule); err != nil {
			return nil, fmt.Errorf("--schedule: %w", err)
		}
		test.About.Nemesis, test.Lanes = "schedule", sunder.NoFaults()
		for _, s := range test.Schedule.Faults {
			if s.Pick != nil {
				if err := harness.Fit("fault "+s.Name(), s.Pick.Aiming, "target "+target, test.Target.Can()); err != nil {
					return nil, fmt.Errorf("--schedule: %w", err)
				}
			}
			need := demand{"fault " + s.Name(), s.Needs(test.Deeds)}
			if err := harness.FitSpared(need.name, need.needs, "target "+target, test.Target); err != nil {
				return nil, fmt.Errorf("--schedule: %w", err)
			}
			needs = append(needs, need)
		}
		return needs, nil
	}
	if test.Lanes, err = f.Nemeses.Parse(f.nemesis, f.hold, f.rest); err != nil {
		return nil, err
	}
	if test.Lanes == nil {
		test.Lanes = sunder.NoFaults()
	}
	for _, l := range test.Lanes {
		if l.Direct != nil && len(test.Lanes) == 1 && (flags.Changed("hold") || flags.Changed("rest")) {
			return nil, fmt.Errorf("--hold and --rest are of nemeses that have a rhythm; %s decides for itself", l.Name)
		}
		if l.Direct == nil && f.nodes >= 1 && !harness.CanAct(l.Nemesis, test.Layout()) {
			pretend := test.Layout()
			if pretend.Companions = []string{"c1"}; len(test.Layout().Companions) == 0 && harness.CanAct(l.Nemesis, pretend) {
				return nil, fmt.Errorf("--nemesis: %s is aimed at clients that hold something, and those of workload %s are no "+
					"processes of their own and hold nothing; --workload lock has such", l.Name, f.workload)
			}
			return nil, fmt.Errorf("--nemesis: %s can do nothing to %d nodes; use more of them (--nodes), several "+
				"sites (--sites), or another nemesis",
				l.Name, f.nodes)
		}
		if err := errors.Join(
			harness.Fit("nemesis "+l.Name, l.Aiming, "target "+target, test.Target.Can()),
			harness.FitSpared("nemesis "+l.Name, l.Needs(), "target "+target, test.Target),
		); err != nil {
			return nil, fmt.Errorf("--nemesis: %w", err)
		}
		needs = append(needs, demand{"nemesis " + l.Name, l.Needs()})
	}
	return needs, nil
}

// settleSites sees that there are as many nodes as the sites have.
func (f *runFlags) settleSites(flags *pflag.FlagSet) error {
	total := 0
	for _, size := range f.sites {
		total += size
	}
	switch {
	case len(f.sites) == 0 && flags.Changed("sites-apart"):
		return errors.New("--sites-apart: which sites there are is said by --sites, such as 3,2")
	case len(f.sites) == 0:
		return nil
	case flags.Changed("nodes") && f.nodes != total:
		return fmt.Errorf("--sites %v are %d nodes, and --nodes says %d", f.sites, total, f.nodes)
	}
	return flags.Set("nodes", strconv.Itoa(total))
}

// defaultApart is between neighbouring regions, or far parts of one.
const defaultApart = 10 * time.Millisecond

// tidesMinRate is how many calls a second must succeed of a load that is low at times.
const tidesMinRate = 20

// leastRate is how many calls a second must succeed, if that was asked for; 0 is the default.
func (f *runFlags) leastRate(flags *pflag.FlagSet) (float64, error) {
	switch {
	case f.minRate <= 0:
		return 0, fmt.Errorf("--min-rate: above 0, not %v: a run in which nothing succeeds proves nothing", f.minRate)
	case !flags.Changed("min-rate") && f.load == loadTides:
		return tidesMinRate, nil
	case !flags.Changed("min-rate"):
		return 0, nil
	case f.rate > 0 && f.minRate > f.rate:
		return 0, fmt.Errorf(
			"--min-rate: %v calls a second cannot succeed where --rate makes %v at the most",
			f.minRate,
			f.rate,
		)
	}
	return f.minRate, nil
}

// huntOf returns the command of a run that is made to find a planted bug; empty if there is none, or several.
func (c Catalogue) huntOf(bugs []string) string {
	for _, b := range c.planted() {
		if slices.Equal(bugs, []string{b.Name}) && b.Hunt != "" {
			return b.command()
		}
	}
	return ""
}

// command is the command line that runs this test again: what was changed from the defaults, and
// the seed, which always is.
func (f *runFlags) command(flags *pflag.FlagSet) string {
	words := []string{"sunder run --profile " + profileFixed} // what was drawn is given
	if f.byHand {
		words = []string{"sunder up"}
	}
	flags.Visit(func(flag *pflag.Flag) {
		if !slices.Contains([]string{"seed", "profile", "quiet", "out", "format", "detach"}, flag.Name) {
			word := "--" + flag.Name
			switch {
			case flag.Value.Type() != "bool":
				word += " " + child.Quote(flagValue(flag))
			case flagValue(flag) != "true":
				word += "=false"
			}
			words = append(words, word)
		}
	})
	return strings.Join(append(words, "--seed", strconv.FormatUint(f.seed, 10)), " ")
}

// flagValue writes a flag's value as it can be given again: maps without their brackets, and in one order.
func flagValue(flag *pflag.Flag) string {
	v := flag.Value.String()
	switch flag.Value.Type() {
	case "stringToString", "stringSlice":
		return strings.Trim(v, "[]")
	}
	return v
}

// optionsOf returns the values of all flags.
func optionsOf(flags *pflag.FlagSet) map[string]string {
	all := map[string]string{}
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "help" {
			all[flag.Name] = flagValue(flag)
		}
	})
	return all
}
