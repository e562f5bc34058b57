package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/cmd/child"
)

// Demo is a run that shows something, in less than a minute.
type Demo struct {
	Name, About string
	// Args are those of 'sunder run', with what the run is expected to end with.
	Args string
	// Lesson is what there is to be learned from it.
	Lesson string
}

// demoLimit is how long clients call in a demo.
const demoLimit = "20s"

// args are the arguments of the run.
func (d Demo) args() []string {
	return append([]string{"--profile", profileFixed, "--time-limit", demoLimit, "--seed", "1"}, strings.Fields(d.Args)...)
}

// command is the command of the run.
func (d Demo) command() string { return "sunder run " + strings.Join(d.args(), " ") }

func (a app) newDemoCommand() *cobra.Command {
	var names []string
	for _, d := range a.Demos {
		names = append(names, d.Name)
	}
	return &cobra.Command{
		Use:   "demo [NAME]",
		Short: "Show what goes wrong with leaders and locks, and what prevents it",
		Long: `Show what goes wrong with leaders and locks, and what prevents it. Each demo is one run of less than a minute, and
one report. Without a name, list them. docs/leader-election.md explains what they show.`,
		Example: `  sunder demo
  sunder demo split-brain
  sunder demo two-holders`,
		Args:      arguments(cobra.MaximumNArgs(1)),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, d := range a.Demos {
					fmt.Fprintf(cmd.OutOrStdout(), "%s\n    %s\n    %s\n", d.Name, d.About, d.command())
				}
				return nil
			}
			for _, d := range a.Demos {
				if d.Name == args[0] {
					return a.show(cmd, d)
				}
			}
			return usage(cmd, unknown("demo", args[0], names))
		},
	}
}

// show runs a demo, and says what there is to be learned if it went as it should.
func (a app) show(cmd *cobra.Command, d Demo) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", d.About)
	f := runFlags{app: a}
	run := a.newRun(&f)
	if err := run.ParseFlags(d.args()); err != nil {
		return usage(cmd, err)
	}
	f.args = append([]string{"run"}, d.args()...) // which a fleet may begin again with
	run.SetContext(cmd.Context())
	run.SetOut(cmd.OutOrStdout())
	run.SetErr(cmd.ErrOrStderr())
	err := f.run(run)
	var exit exitCode // of a run in an enclosure
	if err == nil || errors.As(err, &exit) && exit == child.Valid {
		fmt.Fprintf(cmd.OutOrStdout(), "\n%s\n", d.Lesson)
	}
	return err
}
