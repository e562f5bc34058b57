package cli

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/nemesis"
)

// complete lets shells complete the values of a command's flags, as far as it has them.
func (a app) complete(cmd *cobra.Command) {
	var bugs []string
	for _, b := range a.planted() {
		bugs = append(bugs, b.Name+"\t"+b.About)
	}
	all := map[string][]string{
		"target":   sorted(a.Targets),
		"fleet":    append(sorted(a.Fleets), fleetAuto),
		"workload": sorted(a.Workloads),
		"nemesis":  slices.Concat(a.Nemeses.Names(), sorted(nemesis.Directors()), []string{"mix", "none"}),
		"profile":  sorted(profiles),
		"load":     {loadSteady, loadTides},
		"bug":      bugs,
		"checker":  sorted(a.Checkers),
		"format":   {string(printedText), string(printedJSON)},
	}
	for name, values := range all {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		what := cobra.ShellCompDirectiveNoFileComp
		if name == "target" { // or a file that describes one
			what = cobra.ShellCompDirectiveDefault
		}
		err := cmd.RegisterFlagCompletionFunc(
			name,
			func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return values, what
			},
		)
		if err != nil {
			panic(err) // there is such a flag, and nobody else completes it
		}
	}
}

func sorted[E any](entries map[string]E) []string { return slices.Sorted(maps.Keys(entries)) }
