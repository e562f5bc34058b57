package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/workloads"
)

// runFlags are what can be chosen of a run.
type runFlags struct {
	target, fleet, workload, nemesis string
	nodes, clients                   int
	rate, minRate                    float64
	timeLimit, opTimeout             time.Duration
	hold, rest                       time.Duration
	launchTimeout, recoverTimeout    time.Duration
	latency                          time.Duration
	seed                             uint64
	bug                              string
	image                            string
	serializable                     bool
	consistency                      string
	targetFlags                      map[string]string
	mix                              map[string]int
	keys, opsPerKey                  int
	out                              string
	check                            checkFlags
	quiet                            bool
	format                           string

	build map[string]string // what the fleet says of itself
}

func newRunCommand() *cobra.Command { return newRun(&runFlags{}) }

func newRun(f *runFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run one test and judge it",
		Long: `Start a cluster, let clients work on it while the nemesis breaks it, heal it, read once
more, judge what was recorded and write a report. The last line printed is the report's path.

A nemesis is "family[:shape][@aim]". Several joined by "," take turns at random; joined by
"+" they act side by side, each with a rhythm of its own if "=hold/rest" is added.
'sunder list' shows what there is.

The seed decides calls and faults. Their interleaving is the machine's, so a run that is
told again finds the same bug often, not always.`,
		Example: `  sunder run
  sunder run --time-limit 2m --nemesis partition:halves@leader
  sunder run --nemesis 'partition=2s/0s+kill@one=100ms/1s'
  sunder run --bug stale-read --seed 7
  sunder run --target-flag election-timeout=300ms --nodes 3`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "raft", "system under test: "+names(targets)+`; "etcd@v3.5.35" names a version`)
	flags.StringVar(&f.fleet, "fleet", fleetAuto, "what nodes run on: "+names(fleets)+"; auto is docker if the target needs it")
	flags.StringVar(&f.workload, "workload", "register", "what clients do: "+names(workloads.All))
	flags.StringVar(&f.nemesis, "nemesis", "mix", `faults: of `+names(nemesis.All)+`; or "mix", "none"`)
	flags.IntVar(&f.nodes, "nodes", 5, "nodes of the cluster")
	flags.IntVar(&f.clients, "clients", 0, "concurrent clients (default two a node)")
	flags.Float64Var(&f.rate, "rate", 2000, "calls a second, of all clients together; 0 is no limit")
	flags.Float64Var(&f.minRate, "min-rate", checkers.DefaultMinRate, "calls a second that must succeed, while a quorum can be reached, for a pass to mean something; at the most a quarter of --rate")
	flags.DurationVar(&f.timeLimit, "time-limit", 30*time.Second, "how long clients call")
	flags.DurationVar(&f.opTimeout, "op-timeout", time.Second, "after how long a client gives a call up")
	flags.DurationVar(&f.hold, "hold", 2*time.Second, "how long a fault lasts, on average")
	flags.DurationVar(&f.rest, "rest", time.Second, "how long the cluster is left alone after a fault, on average; 0s goes from one fault straight to the next")
	flags.DurationVar(&f.launchTimeout, "launch-timeout", 30*time.Second, "how long the cluster may take to serve at first")
	flags.DurationVar(&f.recoverTimeout, "recover-timeout", 30*time.Second, "how long the healed cluster may take to serve again")
	flags.DurationVar(&f.latency, "latency", 0, "how long messages between nodes take, one way")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of calls and faults (default drawn)")
	flags.StringVar(&f.bug, "bug", "", "plant bugs in the built-in Raft, separated by commas; see 'sunder list'")
	flags.StringVar(&f.image, "image", "", "image of the target's nodes, instead of the official one or one that was built here")
	flags.BoolVar(&f.serializable, "serializable", false, "etcd: read from the state of the node that is asked, which may be stale")
	flags.StringVar(&f.consistency, "consistency", "", "consul: consistency of reads: consistent, default, stale (default consistent)")
	flags.StringToStringVar(&f.targetFlags, "target-flag", nil, "flags for the target's nodes, as name=value,...")
	flags.StringToIntVar(&f.mix, "mix", map[string]int{"read": 50, "write": 25, "cas": 25}, "shares of the operations")
	flags.IntVar(&f.keys, "keys", 8, "keys in use at a time")
	flags.IntVar(&f.opsPerKey, "ops-per-key", 200, "calls after which a key is retired, on average")
	flags.StringVarP(&f.out, "out", "o", "runs", "directory for run directories")
	f.check.add(flags)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	flags.StringVar(&f.format, "format", "text", "what is printed on standard output: text, or json")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("seed") {
		f.seed = uint64(rand.Uint32()) // the one draw that no seed decides; it is printed and recorded
	}
	if f.clients == 0 {
		f.clients = 2 * f.nodes
	}
	test, why, err := f.test(cmd.Flags())
	if err == nil && f.format != "text" && f.format != "json" {
		err = fmt.Errorf("--format: text or json, not %q", f.format)
	}
	if err != nil {
		return usage(cmd, err)
	}
	if c, ok := test.Target.(io.Closer); ok {
		defer c.Close()
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nfleet %s: %s\n", test.About.Command, f.fleet, why)
	if test.Dir, err = makeDir(f.dir(test.About.Started)); err != nil {
		return usage(cmd, fmt.Errorf("--out: %w", err))
	}
	if test.Fleet, err = fleets[f.fleet].new(cmd.Context(), f, test.Dir, cmd.ErrOrStderr()); err != nil {
		return errors.Join(err, os.Remove(test.Dir)) // nothing is in it yet
	}
	linkLatest(test.Dir)
	maps.Copy(test.About.Build, f.build)
	show := newProgressLine(cmd.ErrOrStderr(), f.quiet)
	test.Progress = show.update
	runErr := harness.Run(cmd.Context(), test)
	show.end()
	return f.finish(cmd, test.Dir, runErr)
}

// try says what is wrong with the arguments of a run, and runs nothing.
func try(args []string) error {
	f := runFlags{}
	cmd := newRun(&f)
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	f.clients = max(f.clients, 1)
	test, _, err := f.test(cmd.Flags())
	if err != nil {
		return err
	}
	if c, ok := test.Target.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// test puts the run together, and says why it is on the fleet that it is on. Its errors are about flags.
func (f *runFlags) test(flags *pflag.FlagSet) (_ *harness.Test, why string, err error) {
	name, version, target, err := findTarget(f.target)
	if err != nil {
		return nil, "", fmt.Errorf("--target: %w", err)
	}
	lanes, err := nemesis.Parse(f.nemesis, f.hold, f.rest)
	if err != nil {
		return nil, "", err
	}
	for _, l := range lanes {
		if f.nodes >= 1 && !nemesis.CanAct(l.Nemesis, harness.NodeNames(f.nodes)) {
			return nil, "", fmt.Errorf("--nemesis: %s can do nothing to %d nodes; use more of them (--nodes), or another nemesis", l.Name, f.nodes)
		}
	}
	if why, err = f.chooseFleet(name, target, lanes); err != nil {
		return nil, "", err
	}
	if err := f.validate(name); err != nil {
		return nil, "", err
	}
	sut, err := target.new(f, version)
	if err != nil {
		return nil, "", err
	}
	workload, err := workloads.New(f.workload, workloads.Options{Keys: f.keys, OpsPerKey: f.opsPerKey, Mix: f.mix, Seed: f.seed})
	if err != nil {
		return nil, "", err
	}
	if f.minRate <= 0 {
		return nil, "", fmt.Errorf("--min-rate: above 0, not %v: a run in which nothing succeeds proves nothing", f.minRate)
	}
	minRate := f.minRate
	if f.rate > 0 && minRate > f.rate/4 {
		if flags.Changed("min-rate") && minRate > f.rate {
			return nil, "", fmt.Errorf("--min-rate: %v calls a second cannot succeed where --rate makes %v at the most",
				f.minRate, f.rate)
		}
		if !flags.Changed("min-rate") {
			minRate = f.rate / 4
		}
	}
	if err := f.timing(sut); err != nil {
		return nil, "", err
	}
	test := &harness.Test{
		Target: sut, Workload: workload, Lanes: lanes, Nodes: f.nodes, Clients: f.clients, Rate: f.rate, MinRate: minRate,
		TimeLimit: f.timeLimit, OpTimeout: f.opTimeout, LaunchTimeout: f.launchTimeout, RecoverTimeout: f.recoverTimeout, Seed: f.seed,
		About: history.Test{
			Started: time.Now(), Target: strings.TrimSuffix(name+"@"+version, "@"), Fleet: f.fleet, Workload: f.workload, Nemesis: f.nemesis,
			Checkers: slices.Concat(workloads.All[f.workload].Checkers, f.stateCheckers(target), checkers.Always()),
			Bug:      f.bug, Hunt: raft.HuntOf(f.bug), Command: f.command(flags), Options: options(flags), Build: buildInfo(),
		},
	}
	return test, why, test.Validate()
}

// stateCheckers are the checkers of a target. One node has nobody to differ from.
func (f *runFlags) stateCheckers(target targetEntry) []string {
	if f.nodes == 1 {
		return nil
	}
	return target.checkers
}

// timing refuses latencies with which no leader can be heard in time: a heartbeat, or a vote and the answer to it,
// would take longer than an election timeout.
func (f *runFlags) timing(target harness.Target) error {
	timed, ok := target.(harness.Timed)
	if !ok || f.latency == 0 || f.nodes == 1 {
		return nil
	}
	set := timed.Timing()
	if needed := set.Heartbeat + 2*f.latency; needed > set.Election {
		return fmt.Errorf("--latency %s: a heartbeat every %s and %s there and back are more than the election timeout of %s, so that no leader could stay one; "+
			"give nodes more time, as with --target-flag election-timeout=%s",
			f.latency, set.Heartbeat, 2*f.latency, set.Election, 2*needed)
	}
	return nil
}

// validate refuses flags that are of another target than the one that is run.
func (f *runFlags) validate(target string) error {
	switch {
	case f.bug != "" && target != "raft":
		return fmt.Errorf("--bug: bugs can be planted in the built-in Raft only, not in %s", target)
	case f.serializable && target != "etcd":
		return fmt.Errorf("--serializable is of etcd, not of %s", target)
	case f.consistency != "" && target != "consul":
		return fmt.Errorf("--consistency is of consul, not of %s", target)
	case f.image != "" && f.fleet != fleetDocker:
		return errors.New("--image: only nodes in containers have one; use --fleet docker")
	}
	return nil
}

// command is the command line that runs this test again: what was changed from the defaults, and
// the seed, which always is.
func (f *runFlags) command(flags *pflag.FlagSet) string {
	words := []string{"sunder run"}
	flags.Visit(func(flag *pflag.Flag) {
		if flag.Name != "seed" && flag.Name != "quiet" && flag.Name != "out" && flag.Name != "format" {
			word := "--" + flag.Name
			switch {
			case flag.Value.Type() != "bool":
				word += " " + quote(flagValue(flag))
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
	case "stringToInt": // the values are numbers
		return strings.Join(slices.Sorted(strings.SplitSeq(strings.Trim(v, "[]"), ",")), ",")
	case "stringToString":
		return strings.Trim(v, "[]")
	}
	return v
}

// quote makes a word safe for a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:@+%", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// options are the values of all flags.
func options(flags *pflag.FlagSet) map[string]string {
	all := map[string]string{}
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "help" {
			all[flag.Name] = flagValue(flag)
		}
	})
	return all
}

// dir is the run directory: it says when, what, and with which seed.
func (f *runFlags) dir(started time.Time) string {
	return filepath.Join(f.out, strings.Map(func(r rune) rune {
		if strings.ContainsRune(":@,+=/", r) {
			return '-'
		}
		return r
	}, fmt.Sprintf("%s-%s-%s-%s-%d", started.UTC().Format("20060102T150405.000"), f.target, f.workload, f.nemesis, f.seed)))
}

// makeDir makes a run directory. Two runs may begin in the same millisecond; each has one of its own.
func makeDir(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	for n, name := 2, dir; ; n++ {
		if err := os.Mkdir(name, 0o755); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = fmt.Sprintf("%s-%d", dir, n)
	}
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

// finish judges and reports what was recorded, whatever became of the run, and turns all of it into
// one error: a violation is one, whatever else went wrong.
func (f *runFlags) finish(cmd *cobra.Command, dir string, runErr error) error {
	verdict, err := f.conclude(cmd, dir, runErr)
	switch err := errors.Join(runErr, err); {
	case verdict == checkers.Invalid && !errors.Is(runErr, context.Canceled):
		if err != nil { // a violation is one, whatever else went wrong
			fmt.Fprintf(cmd.ErrOrStderr(), "sunder: %v\n", err)
		}
		return verdictError(verdict)
	case err != nil:
		return err
	case verdict != checkers.Valid:
		return verdictError(verdict)
	}
	return nil
}

// conclude judges what was recorded, says what it found, and leaves the report. An interrupted run is
// judged like any other; a second signal would end that.
func (f *runFlags) conclude(cmd *cobra.Command, dir string, runErr error) (checkers.Verdict, error) {
	path := filepath.Join(dir, harness.HistoryFile)
	h, err := openHistory(path, formatSunder, cmd.ErrOrStderr())
	if err != nil {
		return checkers.Unknown, err
	}
	results, err := checkers.Run(context.WithoutCancel(cmd.Context()), h, checkers.ForHistory(h), f.check.options(cmd.ErrOrStderr()))
	if err != nil {
		return checkers.Unknown, err
	}
	say := cmd.OutOrStdout()
	if f.format == "json" { // the document alone is on standard output
		say = cmd.ErrOrStderr()
	}
	printResults(say, results)
	run := reports.Run{Dir: dir, History: h, Results: results}
	if runErr != nil && !errors.Is(runErr, context.Canceled) {
		run.Trouble = runErr.Error()
		fmt.Fprintf(say, "the run ended early: %v\n", runErr)
	}
	verdict := checkers.Worst(results)
	fmt.Fprintln(say, summary(h, verdict))

	// The verdict is found and said. A report that cannot be written is an error all the same; other things are warnings.
	warn := func(what string, err error) {
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %v\n", what, err)
		}
	}
	_, err = history.Compress(path)
	warn("the history stays uncompressed", err)
	unwritten := run.Write()
	if unwritten != nil {
		unwritten = fmt.Errorf("the results cannot be written: %w", unwritten)
	}
	warn("index", reports.WriteIndex(f.out))
	if verdict == checkers.Valid && runErr == nil {
		// Nodes' data is evidence only if there is something to look into.
		warn("nodes' data stays", os.RemoveAll(filepath.Join(dir, fleet.DataDir)))
	}
	if page := filepath.Join(dir, reports.HTMLFile); exists(page) {
		fmt.Fprintln(say, page)
	}
	if f.format == "json" {
		document := struct {
			Dir     string            `json:"dir"`
			Verdict checkers.Verdict  `json:"verdict"`
			Trouble string            `json:"trouble,omitempty"`
			Summary reports.Summary   `json:"summary"`
			Results []checkers.Result `json:"results"`
		}{dir, verdict, run.Trouble, run.Summarize(), results}
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return verdict, errors.Join(unwritten, e.Encode(document))
	}
	return verdict, unwritten
}

// names lists the names of a registry for help texts.
func names[V any](registry map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(registry)), ", ")
}
