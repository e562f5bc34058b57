package cli

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/cmd/suite"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
)

//go:embed suites
var embeddedSuites embed.FS

// bugSuite is the name of the suite of all bugs that can be planted, which is made up from the list of them.
const bugSuite = "bugs"

// suiteNames lists the suites that come with sunder.
func (a app) suiteNames() []string {
	entries, _ := embeddedSuites.ReadDir("suites") // embedded: it is there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return slices.Sorted(slices.Values(append(names, bugSuite)))
}

// bugSuiteText is a suite in which each planted bug that has a hunt is hunted, and must be found.
func (a app) bugSuiteText() ([]byte, error) {
	type run struct {
		Target  string              `json:"target"`
		Nemesis string              `json:"nemesis"`
		Flags   map[string]string   `json:"flags"`
		Expect  reports.Expectation `json:"expect"`
	}
	var runs []run
	for _, b := range a.hunted() {
		flags := a.newRunCommand().Flags()
		if err := flags.Parse(strings.Fields(b.Hunt)); err != nil {
			return nil, fmt.Errorf("bug %s: %w", b.Name, err)
		}
		r := run{
			Target: b.Target,
			Flags:  map[string]string{"bug": b.Name, "profile": profileFixed},
			Expect: reports.ExpectInvalid,
		}
		flags.Visit(func(f *pflag.Flag) { r.Flags[f.Name] = flagValue(f) })
		r.Nemesis = flagValue(flags.Lookup("nemesis")) // a field of its own
		delete(r.Flags, "nemesis")
		runs = append(runs, r)
	}
	return json.Marshal(map[string]any{ // JSON is YAML
		"about": "planted bugs, each by a run that is made to find it", "runs": runs,
	})
}

// suiteFlags are the flags of sunder suite.
type suiteFlags struct {
	app
	out, only, shard string
	format           printed
	seed             uint64
	jobs             int
	budget           time.Duration
	list             bool
}

func (a app) newSuiteCommand() *cobra.Command {
	f := suiteFlags{app: a}
	cmd := &cobra.Command{
		Use:   "suite FILE|" + strings.Join(a.suiteNames(), "|"),
		Short: "Run many tests, and say what became of each",
		Long: `Run the tests of a suite, each in a process of its own: a list of YAML that multiplies out
targets, fleets, workloads, nemeses and seeds (docs/suites.md). A run may be expected to be
invalid, as with a planted bug: then it is a failure if nothing is found. Nothing is tried
twice: what fails now and then is a finding.

What is left is the directory of each run, index.html, junit.xml, summary.md and suite.json.
In a job of GitHub's, what went wrong is annotated and the summary is the job's too.

Exit codes: 1 if a run failed, else 255 if one broke, else 2 if one is unknown or was not run, else 0.`,
		Example: `  sunder suite smoke
  sunder suite smoke --only /local/              # the runs that need no containers
  sunder suite nightly --seed 20261122 --shard 1/4 --time-budget 40m
  sunder suite mine.yaml --list`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "out", "o", "", "directory for the runs (default runs/suite-<time>-<name>)")
	flags.StringVar(&f.only, "only", "", "only the runs whose names match this regular expression")
	flags.StringVar(&f.shard, "shard", "1/1", "run only the i-th of n parts, as i/n")
	flags.Uint64Var(&f.seed, "seed", 0, "is added to the seed of every run")
	flags.IntVar(&f.jobs, "jobs", 1, "runs at a time; clusters that starve each other are slow, and may look broken")
	flags.DurationVar(&f.budget, "time-budget", 0, "no run is begun that would end later than this (default no limit)")
	flags.BoolVar(&f.list, "list", false, "say what would be run, and run nothing")
	f.format.add(flags)
	return cmd
}

// exitCode is an error that is an exit code, of which everything has been said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func (f *suiteFlags) run(cmd *cobra.Command, name string) error {
	s, err := f.readSuite(name)
	if err == nil {
		s.Cells, err = f.choose(s.Cells)
	}
	if err == nil && f.jobs < 1 {
		err = errors.New("--jobs: at least 1")
	}
	if err == nil && f.budget < 0 {
		err = fmt.Errorf("--time-budget: a time from 0, which is no limit, not %s", f.budget)
	}
	if err != nil {
		return usage(cmd, err)
	}
	if f.list {
		for _, c := range s.Cells {
			fmt.Fprintf(cmd.OutOrStdout(), "%-7s  %s\n", c.Expect, c.Name())
		}
		return nil
	}
	result, err := f.begin(s)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s has the runs of a suite already; name another directory", f.out)
	}
	if err != nil {
		return usage(cmd, err)
	}
	if err := f.runAll(cmd, s.Cells, &result); err != nil {
		return err
	}
	result.Took = time.Since(result.Started)
	err = publish(cmd, f.out, result, f.format)
	if verdict := verdictOf(result); result.Worst() == reports.Failed || err == nil && cmd.Context().Err() == nil {
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "sunder: %v\n", err) // a failure stands whatever could not be written
		}
		return verdict
	}
	return errors.Join(err, cmd.Context().Err())
}

// begin claims the directory of a suite, and says there what is to be run.
func (f *suiteFlags) begin(s *suite.Suite) (reports.Suite, error) {
	result := reports.Suite{Name: s.Name, Started: time.Now()}
	if i, n, err := parseShard(f.shard); err == nil && n > 1 {
		result.Part, result.Parts = i, n
	}
	for _, c := range s.Cells {
		result.Outcomes = append(result.Outcomes, reports.Outcome{
			Name: c.Name(), Suite: s.Name, Class: c.Class(), Expect: string(c.Expect), Command: child.CommandLine(c.Args()),
			Status: reports.NotRun, Why: "the suite ended before it",
		})
	}
	if f.out == "" {
		f.out = filepath.Join("runs", "suite-"+result.Started.UTC().Format("20060102T150405.000")+"-"+s.Name)
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return result, err
	}
	return result, result.Claim(f.out)
}

// verdictOf makes the worst of a suite's outcomes an exit code.
func verdictOf(s reports.Suite) error {
	switch s.Worst() {
	case reports.Failed:
		return exitCode(child.Invalid)
	case reports.Broken:
		return exitCode(child.Error)
	case reports.Unknown, reports.NotRun:
		return exitCode(child.Unknown)
	default:
		return nil
	}
}

// publish says what became of a suite where people look, and writes all that it leaves. What was found is said whatever
// cannot be written.
func publish(cmd *cobra.Command, dir string, s reports.Suite, format printed) error {
	w := cmd.OutOrStdout()
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprint(cmd.ErrOrStderr(), index.Annotations(s))
		if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" {
			if err := appendFile(path, index.Markdown(s)); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: the job's summary: %v\n", err)
			}
		}
	}
	if format == printedJSON {
		return errors.Join(writeJSON(w, s), index.WriteSuite(dir, s), writeIndexes(dir))
	}
	for _, o := range s.Outcomes {
		if o.Status != reports.Passed {
			fmt.Fprintf(w, "%-8s %s\n         %s\n         %s\n", o.Status, o.Name, oneLine(o.Why), o.Command)
		}
	}
	fmt.Fprintf(
		w,
		"%s: %d passed, %d failed, %d unknown, %d errors, %d not run, in %s\n",
		s.Name,
		s.Count(reports.Passed),
		s.Count(reports.Failed),
		s.Count(reports.Unknown),
		s.Count(reports.Broken),
		s.Count(reports.NotRun),
		s.Took.Round(time.Second),
	)
	err := errors.Join(index.WriteSuite(dir, s), writeIndexes(dir))
	fmt.Fprintln(w, filepath.Join(dir, reports.IndexFile))
	return err
}

// writeIndexes writes the index of a suite's runs, and renews the one over several suites, if there is one.
func writeIndexes(dir string) error {
	err := index.Write(dir)
	if above := filepath.Dir(
		filepath.Clean(dir),
	); above != filepath.Clean(dir) &&
		exists(filepath.Join(above, reports.IndexFile)) {
		err = errors.Join(err, index.Write(above))
	}
	return err
}

// oneLine keeps what a program said from being taken for something else: by a terminal, or by a CI system that reads
// commands from what is printed.
func oneLine(text string) string {
	return strings.Join(
		strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }),
		" ",
	)
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readSuite reads a suite from a file, or one that comes with sunder.
func (a app) readSuite(name string) (*suite.Suite, error) {
	text, err := embeddedSuites.ReadFile(path.Join("suites", name+".yaml"))
	file := name + ".yaml"
	if name == bugSuite {
		text, err = a.bugSuiteText()
	}
	if err != nil {
		if text, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("%w; suites that come with sunder are %s", err, strings.Join(a.suiteNames(), ", "))
		}
		file = name
	}
	flags := a.newRunCommand().Flags()
	s, err := suite.Parse(file, text, suite.Rules{
		Flag: func(name, value string) error {
			if flags.Lookup(name) == nil {
				return fmt.Errorf("sunder run has no flag --%s", name)
			}
			return flags.Set(name, value)
		},
		Cell:   func(c suite.Cell) error { return a.try(c.Args()) },
		Expect: func(e reports.Expectation) error { return e.Check(a.Checkers) },
	})
	if err != nil {
		return nil, err
	}
	s.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return s, nil
}

// choose leaves the cells that are asked for.
func (f *suiteFlags) choose(cells []suite.Cell) ([]suite.Cell, error) {
	only, err := regexp.Compile(f.only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	for i := range cells {
		cells[i].Seed += f.seed
	}
	cells = slices.DeleteFunc(cells, func(c suite.Cell) bool { return !only.MatchString(c.Name()) })
	if len(cells) == 0 {
		return nil, fmt.Errorf("--only: no run matches %q", f.only)
	}
	i, n, err := parseShard(f.shard)
	if err != nil {
		return nil, err
	}
	return suite.Shard(cells, i, n), nil
}

func parseShard(text string) (i, n int, err error) {
	if _, err := fmt.Sscanf(text+"\n", "%d/%d\n", &i, &n); err != nil || i < 1 || i > n {
		return 0, 0, fmt.Errorf("--shard: a part is i/n with i from 1 to n, not %q", text)
	}
	return i, n, nil
}
