package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/suite"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/nemesis"
)

func (a app) newListCommand() *cobra.Command {
	var format printed
	parts := []string{"bugs", "matrix"}
	cmd := &cobra.Command{
		Use:   "list [" + strings.Join(parts, "|") + "]",
		Short: "List targets, fleets, workloads, nemeses, checkers, suites, planted bugs, and what runs together",
		Example: `  sunder list
  sunder list bugs         # what is wrong with each, and the command that finds it
  sunder list matrix       # what runs together, and why the rest does not
  sunder list --format json`,
		ValidArgs: parts,
		Args:      arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			cells, err := a.matrix()
			switch {
			case err != nil:
				return err
			case format == printedJSON:
				return a.listJSON(w, cells)
			case slices.Contains(args, "bugs"):
				for _, b := range a.planted() {
					fmt.Fprintf(w, "%-18s %s (%s; %s)\n%18s %s\n", b.Name, b.About, b.Layer, b.Source, "", b.command())
				}
				return nil
			case slices.Contains(args, "matrix"):
				printMatrix(w, cells)
				return nil
			}
			return a.listAll(w, cells)
		},
	}
	format.add(cmd.Flags())
	return cmd
}

func (a app) listAll(w io.Writer, cells []fit) error {
	section(w, "Targets", a.Targets, func(e harness.TargetEntry) string { return e.About })
	section(w, "Fleets", a.Fleets, func(e harness.FleetEntry) string { return e.About })
	section(w, "Workloads", a.Workloads, func(e harness.WorkloadEntry) string { return e.About })
	section(w, "Nemeses", a.Nemeses, func(f nemesis.Family) string { return f.About + choices(f) })
	section(w, "Nemeses that decide for themselves", nemesis.Directors(), func(about string) string { return about })
	section(w, "Profiles", profiles, func(p profile) string { return p.about })
	section(w, "Checkers", a.Checkers, func(e checkers.Entry) string { return e.About })
	suites := make(map[string]*suite.Suite)
	for _, name := range a.suiteNames() {
		s, err := a.readSuite(name)
		if err != nil {
			return err
		}
		suites[name] = s
	}
	section(w, "Suites", suites, func(s *suite.Suite) string { return s.About })
	fmt.Fprintln(w, "Bugs that can be planted ('sunder list bugs' has the command that finds each)")
	for _, b := range a.planted() {
		fmt.Fprintf(w, "  %-18s %s\n", b.Name, b.About)
	}
	fmt.Fprintln(w)
	printMatrix(w, cells)
	return nil
}

// printMatrix writes a line for what runs together of target, workload and fleet, and one for each reason why some does
// not.
func printMatrix(w io.Writer, cells []fit) {
	type row struct{ target, workload, fleet string }
	var rows []row
	runs := make(map[row][]string)
	holes := make(map[row][]string)
	for _, c := range cells {
		r := row{c.Target, c.Workload, c.Fleet}
		if !slices.Contains(rows, r) {
			rows = append(rows, r)
		}
		if c.Hole == "" {
			runs[r] = append(runs[r], c.Nemesis)
		} else if !slices.Contains(holes[r], c.Hole) {
			holes[r] = append(holes[r], c.Hole)
		}
	}
	fmt.Fprintln(w, "What runs together")
	for _, r := range rows {
		fmt.Fprintf(
			w,
			"  %-8s %-10s %-8s %s\n",
			r.target,
			r.workload,
			r.fleet,
			cmp.Or(strings.Join(runs[r], ", "), "nothing"),
		)
		for _, hole := range holes[r] {
			fmt.Fprintf(w, "  %28s  no: %s\n", "", hole)
		}
	}
}

// listJSON writes the catalogue, and what of it runs together, for programs.
func (a app) listJSON(w io.Writer, cells []fit) error {
	about := func(name, text string) map[string]string { return map[string]string{"name": name, "about": text} }
	document := struct {
		Sunder    string              `json:"sunder"`
		Targets   []map[string]string `json:"targets"`
		Fleets    []map[string]string `json:"fleets"`
		Workloads []map[string]string `json:"workloads"`
		Nemeses   []map[string]string `json:"nemeses"`
		Checkers  []map[string]string `json:"checkers"`
		Bugs      []map[string]string `json:"bugs"`
		Matrix    []fit               `json:"matrix"`
	}{Sunder: sunder.BuildInfo()["sunder"], Matrix: cells}
	each(a.Targets, func(name string, e harness.TargetEntry) {
		document.Targets = append(document.Targets, about(name, e.About))
	})
	each(a.Fleets, func(name string, e harness.FleetEntry) {
		document.Fleets = append(document.Fleets, about(name, e.About))
	})
	each(a.Workloads, func(name string, e harness.WorkloadEntry) {
		document.Workloads = append(document.Workloads, about(name, e.About))
	})
	each(a.Nemeses, func(name string, f nemesis.Family) {
		document.Nemeses = append(document.Nemeses, about(name, f.About))
	})
	each(a.Checkers, func(name string, e checkers.Entry) {
		document.Checkers = append(document.Checkers, about(name, e.About))
	})
	for _, b := range a.planted() {
		document.Bugs = append(document.Bugs, map[string]string{
			"name": b.Name, "about": b.About, "target": b.Target, "layer": b.Layer, "source": b.Source,
			"property": b.Property, "command": b.command(),
		})
	}
	return writeJSON(w, document)
}

func each[E any](entries map[string]E, do func(name string, e E)) {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		do(name, entries[name])
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

func section[E any](w io.Writer, title string, entries map[string]E, about func(E) string) {
	fmt.Fprintln(w, title)
	each(entries, func(name string, e E) { fmt.Fprintf(w, "  %-10s %s\n", name, about(e)) })
	fmt.Fprintln(w)
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := sunder.BuildInfo()
			fmt.Fprintf(cmd.OutOrStdout(), "sunder %s %s %s %s\n", b["sunder"], b["revision"], b["go"], b["os"])
			return nil
		},
	}
}
