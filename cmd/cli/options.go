package cli

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/harness"
)

// owner is an entry that has options.
type owner struct{ kind, name string } // "target", "etcd"

func (o owner) String() string { return o.kind + " " + o.name }

// entryOptions are the options of all entries that a run can choose from, as flags of one command. Entries may have
// options of the same name: the flag is then that of each.
type entryOptions struct {
	flags     *pflag.FlagSet
	owners    map[string][]owner // by flag
	targets   map[string]func(harness.TargetConfig) (harness.Target, error)
	fleets    map[string]harness.FleetOptions
	workloads map[string]func(seed uint64) (harness.Workload, error)
}

// newEntryOptions declares the options of all entries on a command's flags.
func newEntryOptions(c Catalogue, flags *pflag.FlagSet) *entryOptions {
	o := &entryOptions{
		flags: flags, owners: map[string][]owner{}, fleets: map[string]harness.FleetOptions{},
		targets:   map[string]func(harness.TargetConfig) (harness.Target, error){},
		workloads: map[string]func(uint64) (harness.Workload, error){},
	}
	declare := func(kind, name string, declare func(*flag.FlagSet)) {
		set := flag.NewFlagSet(name, flag.ContinueOnError)
		declare(set)
		set.VisitAll(func(f *flag.Flag) { o.add(owner{kind, name}, f) })
	}
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		declare("target", name, func(set *flag.FlagSet) { o.targets[name] = c.Targets[name].New(set) })
	}
	for _, name := range slices.Sorted(maps.Keys(c.Fleets)) {
		declare("fleet", name, func(set *flag.FlagSet) { o.fleets[name] = c.Fleets[name].New(set) })
	}
	for _, name := range slices.Sorted(maps.Keys(c.Workloads)) {
		declare("workload", name, func(set *flag.FlagSet) { o.workloads[name] = c.Workloads[name].New(set) })
	}
	return o
}

// add makes an option a flag of the command, or of the flag that is there another entry's too.
func (o *entryOptions) add(by owner, f *flag.Flag) {
	theirs := pflag.PFlagFromGoFlag(f)
	there := o.flags.Lookup(f.Name)
	switch {
	case there == nil:
		theirs.Value = &sharedValue{theirs.Value}
		o.flags.AddFlag(theirs)
	case o.owners[f.Name] == nil:
		panic(fmt.Sprintf("%s has an option --%s, which the command itself has", by, f.Name)) // a mistake in a catalogue
	default:
		shared := there.Value.(*sharedValue)
		*shared = append(*shared, theirs.Value)
	}
	o.owners[f.Name] = append(o.owners[f.Name], by)
}

// foreign returns an error that names a flag which was given and is none of the chosen entries'.
func (o *entryOptions) foreign(chosen ...owner) (err error) {
	o.flags.Visit(func(f *pflag.Flag) {
		owners := o.owners[f.Name]
		if owners == nil || err != nil ||
			slices.ContainsFunc(owners, func(by owner) bool { return slices.Contains(chosen, by) }) {
			return
		}
		var words []string
		for _, by := range owners {
			words = append(words, by.String())
		}
		has := slices.IndexFunc(chosen, func(c owner) bool { return c.kind == owners[0].kind })
		err = fmt.Errorf("--%s is an option of %s, and this run has %s", f.Name, strings.Join(words, " and "), chosen[has])
	})
	return err
}

// given reports whether any flag was given that is an entry's.
func (o *entryOptions) given(by owner) (given bool) {
	o.flags.Visit(func(f *pflag.Flag) { given = given || slices.Contains(o.owners[f.Name], by) })
	return given
}

// usages writes the command's own flags, and those of each entry under its name.
func (o *entryOptions) usages(own *pflag.FlagSet) string {
	general := pflag.NewFlagSet("", pflag.ContinueOnError)
	groups := map[owner]*pflag.FlagSet{}
	own.VisitAll(func(f *pflag.Flag) {
		if len(o.owners[f.Name]) == 0 {
			general.AddFlag(f)
		}
		for _, by := range o.owners[f.Name] {
			if groups[by] == nil {
				groups[by] = pflag.NewFlagSet("", pflag.ContinueOnError)
			}
			groups[by].AddFlag(f)
		}
	})
	text := "Flags:\n" + general.FlagUsages()
	for _, by := range slices.SortedFunc(maps.Keys(groups), func(a, b owner) int {
		return strings.Compare(a.String(), b.String())
	}) {
		text += fmt.Sprintf("\nOptions of %s:\n%s", by, groups[by].FlagUsages())
	}
	return text
}

// sharedValue is the value of a flag that is one option of several entries.
type sharedValue []pflag.Value

// String implements [pflag.Value].
func (s *sharedValue) String() string {
	if len(*s) == 0 {
		return ""
	}
	return (*s)[0].String()
}

// Type implements [pflag.Value].
func (s *sharedValue) Type() string { return strings.ToLower((*s)[0].Type()) }

// Set implements [pflag.Value].
func (s *sharedValue) Set(text string) error {
	for _, v := range *s {
		if err := v.Set(text); err != nil {
			return err
		}
	}
	return nil
}
