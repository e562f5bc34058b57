package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
)

// runFlags are what can be chosen of a run.
type runFlags struct {
	target, fleet, workload, nemesis string
	nodes, clients                   int
	sites                            []int
	sitesApart                       time.Duration
	rate, minRate                    float64
	timeLimit, opTimeout             time.Duration
	hold, rest                       time.Duration
	launchTimeout, recoverTimeout    time.Duration
	seed                             uint64
	profile, load                    string
	roam                             bool
	bugs                             []string
	schedule                         string
	targetFlags                      map[string]string
	out                              string
	check                            checkFlags
	quiet, failFast                  bool
	expect                           reports.Expectation
	format                           printed

	app
	options *entryOptions
	// byHand lets somebody break the cluster while it is up.
	byHand bool
}

func (a app) newRunCommand() *cobra.Command { return a.newRun(&runFlags{app: a}) }

func (a app) newRun(f *runFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run one test and judge it",
		Long: `Start a cluster, let clients work on it while the nemesis breaks it, heal it, read once
more, judge what was recorded and write a report. The last line printed is the report's path.

A nemesis is "family[:shape][@aim]". Several joined by "," take turns at random; joined by
"+" they act side by side, each with a rhythm of its own if "=hold/rest" is added, or
"=hold/rest/trigger" to wait for an event (docs/schedules.md). 'sunder list' shows what there is.

The seed decides settings, calls and faults. Their interleaving is the machine's, so a run that is
repeated finds the same bug often, not always.`,
		Example: `  sunder run
  sunder run --time-limit 2m --nemesis partition:halves@leader
  sunder run --nemesis 'partition=2s/0s+kill@one=100ms/1s'
  sunder run --nemesis kill@leader=500ms/1s/leader-elected
  sunder run --schedule runs/latest              # the same faults, at the same times
  sunder run --bug stale-read --seed 7
  sunder run --target-flag election-timeout=300ms --nodes 3
  sunder run --target etcd --sites 3,2 --sites-apart 20ms --nemesis partition:sites
  sunder run --target etcd@v3.5.35,v3.6.16 --nemesis version,kill
  sunder run --target ./mydb.yaml                # a system of your own (docs/bring-your-own.md)`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.declare(cmd.Flags())
	cmd.SetUsageFunc(f.usage)
	return cmd
}

// usage writes how the command is used, with the options of each entry under its name.
func (f *runFlags) usage(cmd *cobra.Command) error {
	_, err := fmt.Fprintf(cmd.OutOrStderr(), "Usage:\n  %s\n\nExamples:\n%s\n\n%s", cmd.UseLine(), cmd.Example,
		f.options.usages(cmd.LocalFlags()))
	return err
}

// declare declares the flags of a run: its own, and the options of all entries.
func (f *runFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.target, "target", "raft", "system under test: "+names(f.Targets)+
		`; "etcd@v3.5.35" names a version, `+
		`"etcd@v3.5.35,v3.6.16" those that nodes can be restarted as, too, and "./mydb.yaml" describes one of your own`)
	flags.StringVar(
		&f.fleet,
		"fleet",
		fleetAuto,
		"what nodes run on: "+names(f.Fleets)+"; auto is the lightest that can do what is needed",
	)
	flags.StringVar(&f.workload, "workload", "register", "what clients do: "+names(f.Workloads))
	flags.StringVar(&f.nemesis, "nemesis", sunder.DefaultNemesis, `faults: of `+strings.Join(f.Nemeses.Names(), ", ")+
		`; or "mix", "none"; "swarm" and "watch" decide for themselves`)
	flags.IntVar(&f.nodes, "nodes", sunder.DefaultNodes, "nodes of the cluster")
	flags.IntSliceVar(&f.sites, "sites", nil, "sites with so many nodes each, such as 3,2 (default one)")
	flags.DurationVar(&f.sitesApart, "sites-apart", defaultApart,
		"how long what goes from one site to another takes, one way")
	flags.IntVar(&f.clients, "clients", 0, "concurrent clients (default two a node)")
	flags.Float64Var(&f.rate, "rate", 2000, "calls a second, of all clients together; 0 is no limit")
	flags.StringVar(&f.profile, "profile", sunder.DefaultProfile, "who chooses what is not given: "+aboutProfiles())
	flags.StringVar(&f.load, "load", loadSteady, "how calls come: "+loadSteady+" is all clients at --rate; "+loadTides+
		" draws anew every few seconds how many clients call, and how fast, with idle spells")
	flags.BoolVar(&f.roam, "roam", false,
		"let some clients follow the leader and some go from node to node; otherwise each stays with one")
	flags.Float64Var(
		&f.minRate,
		"min-rate",
		checkers.DefaultMinRate,
		"calls a second that must succeed, while a quorum can be reached, for a pass to mean something; at the most a "+
			"quarter of --rate, and 20 with --load tides",
	)
	flags.DurationVar(&f.timeLimit, "time-limit", sunder.DefaultTimeLimit, "how long clients call")
	flags.DurationVar(&f.opTimeout, "op-timeout", sunder.DefaultOpTimeout, "after how long a client gives a call up")
	flags.DurationVar(&f.hold, "hold", sunder.DefaultHold, "how long a fault lasts, on average")
	flags.DurationVar(
		&f.rest,
		"rest",
		sunder.DefaultRest,
		"how long the cluster is left alone after a fault, on average; 0s goes from one fault straight to the next",
	)
	flags.DurationVar(
		&f.launchTimeout,
		"launch-timeout",
		sunder.DefaultPatience,
		"how long the cluster may take to serve at first",
	)
	flags.DurationVar(
		&f.recoverTimeout,
		"recover-timeout",
		sunder.DefaultPatience,
		"how long the healed cluster may take to serve again",
	)
	flags.Uint64Var(&f.seed, "seed", 0, "seed of calls and faults (default drawn)")
	flags.StringVar(
		&f.schedule,
		"schedule",
		"",
		"replay the faults of a file, or of a run directory, instead of --nemesis; "+
			"see docs/schedules.md",
	)
	flags.StringSliceVar(&f.bugs, "bug", nil, "plant bugs in the target; see 'sunder list bugs'")
	flags.StringToStringVar(&f.targetFlags, "target-flag", nil, "flags for the target's nodes, as name=value,...")
	flags.StringVarP(&f.out, "out", "o", sunder.DefaultOut, "directory for run directories")
	f.check.add(flags)
	flags.StringVar((*string)(&f.expect), "expect", "",
		`how the run is to end: valid, invalid, or invalid:CHECKER,... for these checkers and no `+
			`others; exit code 0 if it does, 1 if not, and 2 if that is unknown`)
	flags.BoolVar(&f.failFast, "fail-fast", false,
		"end the load at the first violation; heal, read, judge and report as always")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	f.format.add(flags)
	f.options = newEntryOptions(f.Catalogue, flags)
}

func (f *runFlags) run(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("seed") {
		f.seed = uint64(rand.Uint32()) // the one draw that no seed decides; it is printed and recorded
	}
	p, err := f.plan(cmd.Flags())
	if err != nil {
		return usage(cmd, err)
	}
	defer func() { _ = closeTarget(p.test.Target) }() // idle connections
	if err := p.settle(cmd.Context(), f.options); err != nil {
		return err
	}
	test, fleet := p.test, f.options.fleets[p.test.About.Fleet]
	config := p.config
	config.Say = cmd.ErrOrStderr()
	enclosed, isEnclosed := fleet.(harness.Enclosed)
	if !isEnclosed || !enclosed.Inside() { // which prints to the same terminal as the outside
		p.introduce(cmd.ErrOrStderr())
	}
	if isEnclosed && !enclosed.Inside() {
		args := append(slices.Clone(f.args), "--seed", strconv.FormatUint(f.seed, 10), "--fleet", test.About.Fleet)
		if f.byHand {
			config.Typed = terminalInput()
		}
		code, err := enclosed.Enter(cmd.Context(), config, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		if err != nil {
			return fmt.Errorf("fleet %s: %w", test.About.Fleet, err)
		}
		return exitCode(code)
	}
	if test.Dir, err = sunder.NewDir(f.out, *test); err != nil {
		return usage(cmd, fmt.Errorf("--out: %w", err))
	}
	config.Dir = test.Dir
	var facts map[string]string
	if test.Fleet, facts, err = fleet.Open(cmd.Context(), config); err != nil {
		return errors.Join(err, os.Remove(test.Dir)) // nothing is in it yet
	}
	linkLatest(test.Dir)
	maps.Copy(test.About.Build, facts)
	show := newProgressLine(cmd.ErrOrStderr(), f.quiet)
	test.Progress = show.update
	say := cmd.OutOrStdout()
	if f.format == printedJSON { // the document alone is on standard output
		say = cmd.ErrOrStderr()
	}
	if f.byHand {
		letGo := f.letHandsAct(cmd, say, test, fleet)
		defer letGo()
	}
	runner := f.runner(f.check.options(cmd.ErrOrStderr()), cmd.ErrOrStderr())
	runner.Judged = func(o sunder.Outcome) {
		show.end()
		f.say(say, o)
	}
	outcome, err := runner.Run(cmd.Context(), *test)
	show.end()
	return f.conclude(cmd, say, outcome, err)
}

// introduce says what will be run, where, and why there.
func (p *plan) introduce(w io.Writer) {
	fmt.Fprintf(w, "%s\nfleet %s: %s\n", p.test.About.Command, p.test.About.Fleet, oneLine(p.why))
	if len(p.drawn) > 0 && p.profile != profileFixed {
		fmt.Fprintf(w, "profile %s drew: %s\n", p.profile, p.drawnWords())
	}
}

// runner judges by the catalogue's checkers; warnings are written to w.
func (a app) runner(o checkers.Options, w io.Writer) sunder.Runner {
	return sunder.Runner{
		Checkers: a.Checkers, Options: o, Renderers: a.Renderers,
		Warn: func(what string, err error) { fmt.Fprintf(w, "warning: %s: %v\n", what, err) },
	}
}

// say says what was found, as soon as it is.
func (f *runFlags) say(w io.Writer, o sunder.Outcome) {
	printResults(w, o.Results)
	if o.Trouble != nil && !errors.Is(o.Trouble, context.Canceled) {
		fmt.Fprintf(w, "the run ended early: %v\n", o.Trouble)
	}
	if text := o.Summary.Coverage.Sentence(); text != "" {
		fmt.Fprintln(w, text)
	}
	printStory(w, o.Summary.Story)
	fmt.Fprintln(w, summary(w, o.History, o.Verdict))
}

// conclude says where the report is, renews the index, and turns what came of the run into one error: a violation is
// one, whatever else went wrong.
func (f *runFlags) conclude(cmd *cobra.Command, say io.Writer, o sunder.Outcome, err error) error {
	if o.Results != nil {
		if indexErr := index.Write(f.out); indexErr != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: index: %v\n", indexErr)
		}
		if o.Report != "" {
			fmt.Fprintln(say, o.Report)
		}
		if f.format == printedJSON {
			err = errors.Join(err, writeDocument(cmd.OutOrStdout(), o))
		}
	}
	switch {
	case f.expect.Violation() && err != nil: // whatever was found, the run did not come to its end
		return err
	case f.expect.Violation() && o.Results != nil:
		if unmet := f.expect.Unmet(o.Summary); unmet != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "sunder: not as expected (%s): %s\n", f.expect, unmet)
			if o.Verdict == checkers.Unknown {
				return verdictError(checkers.Unknown)
			}
			return verdictError(checkers.Invalid)
		}
		fmt.Fprintf(say, "as expected: %s\n", f.expect)
	case o.Verdict == checkers.Invalid && !errors.Is(o.Trouble, context.Canceled):
		if err != nil { // a violation is one, whatever else went wrong
			fmt.Fprintf(cmd.ErrOrStderr(), "sunder: %v\n", err)
		}
		return verdictError(o.Verdict)
	case err != nil:
		return err
	case o.Verdict != checkers.Valid:
		return verdictError(o.Verdict)
	}
	return nil
}

// writeDocument writes an outcome for programs.
func writeDocument(w io.Writer, o sunder.Outcome) error {
	document := struct {
		Dir     string            `json:"dir"`
		Verdict checkers.Verdict  `json:"verdict"`
		Trouble string            `json:"trouble,omitempty"`
		Summary reports.Summary   `json:"summary"`
		Results []checkers.Result `json:"results"`
	}{Dir: o.Dir, Verdict: o.Verdict, Summary: o.Summary, Results: o.Results}
	if o.Trouble != nil && !errors.Is(o.Trouble, context.Canceled) {
		document.Trouble = o.Trouble.Error()
	}
	return writeJSON(w, document)
}

// linkLatest lets runs/latest point to a run. It is a convenience: where there are no links there is none.
func linkLatest(dir string) {
	out, name := filepath.Split(dir)
	// Another run may do the same at this moment; either link is as good.
	next := filepath.Join(out, "."+name)
	if os.Symlink(name, next) == nil && os.Rename(next, filepath.Join(out, "latest")) != nil {
		_ = os.Remove(next)
	}
}
