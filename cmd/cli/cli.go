// Package cli is the command line: one file a subcommand. It is handed a catalogue of what there is, and knows no name
// of it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness/fleet/netns"
)

// Main runs the command line of the program over a catalogue, and ends the program with its exit code.
func Main(c Catalogue) {
	netns.Arrive()
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprint(os.Stderr, "\n", leftBehind)
		os.Exit(child.Interrupted)
	}()
	os.Exit(Execute(ctx, c, os.Args[1:], os.Stdout, os.Stderr))
}

// leftBehind is what a second signal says, which ends us at once.
const leftBehind = `sunder: ended at once, without healing, judging or cleaning up. What is left:
  - containers, networks and volumes of a run in containers: 'sunder clean' removes them
  - the directory of the run: 'sunder report DIR' judges what was recorded so far
  - nodes on the local and netns fleets end by themselves
`

// Execute runs one command line over a catalogue and returns its exit code.
func Execute(ctx context.Context, c Catalogue, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil { // Go would exit with 2, which means unknown
			fmt.Fprintf(stderr, "sunder: crashed: %v\n%s", p, debug.Stack())
			code = child.Error
		}
	}()
	root := app{c, args}.newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var verdict verdictError
	var usage usageError
	var exit exitCode
	switch {
	case err == nil:
		return child.Valid
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &verdict):
		return verdict.code()
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sunder: %v\nSee '%s --help'.\n", err, usage.command)
		return child.Usage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "sunder: interrupted")
		return child.Interrupted
	default:
		fmt.Fprintf(stderr, "sunder: %v\n", err)
		return child.Error
	}
}

// verdictError makes a verdict the exit code. It is not printed: the verdict was.
type verdictError checkers.Verdict

func (v verdictError) Error() string { return checkers.Verdict(v).String() }

func (v verdictError) code() int {
	if checkers.Verdict(v) == checkers.Invalid {
		return child.Invalid
	}
	return child.Unknown
}

// usageError is a command line that cannot be meant.
type usageError struct {
	command string
	err     error
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, err error) error { return usageError{cmd.CommandPath(), err} }

// arguments makes what cobra says of arguments a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
}

// app is the command line over a catalogue.
type app struct {
	Catalogue
	args []string // of the whole command line
}

func (a app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sunder",
		Short: "Break a cluster on purpose and find out whether it kept its promises",
		Long: `sunder starts a real cluster, cuts its links, kills and pauses its nodes while clients
work on it, records what everybody saw, and checks it: at most one leader a term,
linearizable operations, no lost writes. It ends with a verdict and a report.

Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage, 255 error, 130 interrupted.`,
		Example: `  sunder run                                     # break the built-in Raft for 30 s
  sunder run --bug stale-read                    # ... with a planted bug: see it found
  sunder check runs/latest                       # judge a recorded run again`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       sunder.BuildInfo()["sunder"],
		Args:          subcommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: a.applyDefaults,
	}
	root.SetVersionTemplate("sunder {{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		a.newRunCommand(), a.newDemoCommand(), a.newUpCommand(), newDoCommand(), newDownCommand(),
		a.newSuiteCommand(), a.newScoreCommand(), newMergeCommand(),
		a.newShrinkCommand(), a.newCheckCommand(),
		a.newReportCommand(), newServeCommand(), newExportCommand(), a.newListCommand(), newVersionCommand(),
		newMaelstromdCommand(), a.newHolderdCommand(), newGuarddCommand(), newAgentCommand(),
		a.newBuildCommand(), a.newImagesCommand(), a.newCleanCommand(),
		a.newDoctorCommand(),
	)
	for _, name := range slices.Sorted(maps.Keys(a.Targets)) {
		if role := a.Targets[name].Role; role != nil {
			root.AddCommand(newRoleCommand(*role))
		}
	}
	for _, cmd := range root.Commands() {
		a.complete(cmd)
	}
	return root
}
