package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/suite"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/workloads"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [bugs]",
		Short: "List targets, fleets, workloads, nemeses, checkers, suites and planted bugs",
		Example: `  sunder list
  sunder list bugs         # what is wrong with each, and the command that finds it`,
		ValidArgs: []string{"bugs"},
		Args:      arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) > 0 {
				for _, name := range raft.BugNames() {
					fmt.Fprintf(w, "%-18s %s\n%18s %s\n", name, raft.Bugs[name].About, "", raft.HuntOf(name))
				}
				return nil
			}
			section(w, "Targets", targets, func(e targetEntry) string { return e.about })
			section(w, "Fleets", fleets, func(e fleetEntry) string { return e.about })
			section(w, "Workloads", workloads.All, func(e workloads.Entry) string { return e.About })
			section(w, "Nemeses", nemesis.All, func(f nemesis.Family) string { return f.About + choices(f) })
			section(w, "Checkers", checkers.All, func(e checkers.Entry) string { return e.About })
			suites := make(map[string]*suite.Suite)
			for _, name := range suiteNames() {
				s, err := readSuite(name)
				if err != nil {
					return err
				}
				suites[name] = s
			}
			section(w, "Suites", suites, func(s *suite.Suite) string { return s.About })
			fmt.Fprintf(w, "Bugs that can be planted in the built-in Raft ('sunder list bugs' has the command that finds each)\n")
			for _, name := range raft.BugNames() {
				fmt.Fprintf(w, "  %-18s %s\n", name, raft.Bugs[name].About)
			}
			return nil
		},
	}
}

func choices(f nemesis.Family) string {
	var words string
	if len(f.Shapes) > 0 {
		words += "\n             shapes: " + strings.Join(f.Shapes, ", ")
	}
	if len(f.Aims) > 0 {
		words += "\n             aims: " + strings.Join(f.Aims, ", ")
	}
	return words
}

func section[E any](w io.Writer, title string, registry map[string]E, about func(E) string) {
	fmt.Fprintln(w, title)
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		fmt.Fprintf(w, "  %-10s %s\n", name, about(registry[name]))
	}
	fmt.Fprintln(w)
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := buildInfo()
			fmt.Fprintf(cmd.OutOrStdout(), "sunder %s %s %s %s\n", b["sunder"], b["revision"], b["go"], b["os"])
			return nil
		},
	}
}
