package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/cmd/child"
	scoring "github.com/sunder-dev/sunder/cmd/score"
	"github.com/sunder-dev/sunder/reports/score"
)

// scoreFlags are the flags of sunder score.
type scoreFlags struct {
	app
	target, bugs, out, shard, baseline string
	format                             printed
	profiles                           []string
	seeds, rights                      int
	seed                               uint64
	limit, budget                      time.Duration
	list                               bool
}

// The groups of bugs that can be scored.
const (
	bugsAll     = "all"
	bugsTuned   = "tuned"
	bugsHeldOut = "heldout"
)

func (a app) newScoreCommand() *cobra.Command { return (&scoreFlags{app: a}).command() }

func (f *scoreFlags) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "score [SCORE...]",
		Short: "Measure which planted bugs a run finds, how soon, and how often it is wrong",
		Long: `Plant each bug, run it with each seed under settings that know nothing of it, and run right
systems as often. What comes of it is the share of runs that found each bug with its
confidence interval, the time to detection, false alarms, runs that prove nothing, and the
situations that were reached: score.json and score.html.

A score that was ended is continued by the same command. The files of other scores, such as those of
shards, may be named: their runs are taken over. A profile may be followed by flags of sunder run.

Exit codes: 1 if a run came to no verdict, a right system was found wrong or, with --baseline, a bug
is found less often than before; else 0.`,
		Example: `  sunder score
  sunder score --bugs tuned --seeds 3 --time-limit 30s
  sunder score --profile swarm --profile fixed             # side by side, on the same seeds
  sunder score --profile swarm --profile 'swarm --nemesis swarm'
  sunder score --shard 1/4 -o part-1 --baseline docs/score.json
  sunder score -o whole --list part-1 part-2               # put together, and nothing run`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "raft", "system under test, which has bugs to plant")
	flags.StringVar(&f.bugs, "bugs", bugsAll,
		"which bugs: all, tuned, heldout (those that defaults were chosen without), or names")
	flags.StringArrayVar(&f.profiles, "profile", []string{sunder.DefaultProfile},
		"settings of the runs, with flags after the name; may be repeated")
	flags.IntVar(&f.seeds, "seeds", 6, "runs for each bug and profile")
	flags.IntVar(&f.rights, "right", -1, "runs of the right system for each profile (default as many as of bugs)")
	flags.Uint64Var(&f.seed, "seed", 1, "the first seed")
	flags.DurationVar(&f.limit, "time-limit", time.Minute, "for how long a run looks for a bug")
	flags.StringVar(&f.shard, "shard", "1/1", "make only the i-th of n parts, as i/n")
	flags.DurationVar(&f.budget, "time-budget", 0, "no run is begun that may end later than this (default no limit)")
	flags.StringVarP(&f.out, "out", "o", filepath.Join(sunder.DefaultOut, "score"), "directory of the score")
	flags.StringVar(&f.baseline, "baseline", "",
		"a former score: a bug that is found less often, by more than chance explains, is a failure")
	flags.BoolVar(&f.list, "list", false, "run nothing: say what there is")
	f.format.add(flags)
	return cmd
}

func (f *scoreFlags) run(cmd *cobra.Command, parts []string) error {
	cells, former, err := f.plan()
	if err != nil {
		return usage(cmd, err)
	}
	s, err := f.begin(parts, former)
	if err != nil {
		return usage(cmd, err)
	}
	if !f.list {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		runner := scoring.Runner{Program: program, Out: f.out, Limit: f.limit, Budget: f.budget}
		runner.Ended = func(done, of int, r score.Run) {
			what := r.Bug
			if what == "" {
				what = "(right)"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%*d/%d  %-8s %-26s seed %-4d %6.1f s  %-9s %s\n", len(fmt.Sprint(of)), done, of,
				r.Status, what, r.Seed, r.After.Seconds(), r.Checker, r.Profile)
			if r.Status == score.Alarm || r.Status == score.Broken || r.Status == score.Unsure {
				fmt.Fprintf(cmd.ErrOrStderr(), "        %s\n", oneLine(r.Why))
			}
		}
		if err := runner.Run(cmd.Context(), cells, &s); err != nil {
			return err
		}
	}
	if err := s.Save(f.out); err != nil {
		return err
	}
	return f.conclude(cmd, s, former)
}

// plan says which runs are to be made.
func (f *scoreFlags) plan() (cells []scoring.Cell, former *score.Score, err error) {
	i, n, err := parseShard(f.shard)
	switch {
	case err != nil:
		return nil, nil, err
	case f.seeds < 1:
		return nil, nil, fmt.Errorf("--seeds: at least 1, not %d", f.seeds)
	case f.budget < 0:
		return nil, nil, fmt.Errorf("--time-budget: a time from 0, which is no limit, not %s", f.budget)
	}
	bugs, err := f.choose()
	if err != nil {
		return nil, nil, fmt.Errorf("--bugs: %w", err)
	}
	if f.baseline != "" {
		s, err := score.Read(f.baseline)
		if err != nil {
			return nil, nil, fmt.Errorf("--baseline: %w", err)
		}
		former = &s
	}
	for _, p := range f.profiles {
		if strings.TrimSpace(p) == "" {
			return nil, nil, errors.New("--profile: a profile has a name")
		}
		if err := f.try(scoring.Cell{Profile: p, Target: f.target, Seed: f.seed}.Args(f.limit)); err != nil {
			return nil, nil, fmt.Errorf("--profile %q: %w", p, err)
		}
	}
	rights := f.rights
	if rights < 0 {
		rights = len(bugs) * f.seeds
	}
	for k, c := range scoring.Plan(f.profiles, bugs, rights, f.target, f.seed, f.seeds) {
		if (k/len(f.profiles))%n == i-1 { // what is compared is of one shard
			cells = append(cells, c)
		}
	}
	return cells, former, nil
}

// choose returns the bugs that are asked for.
func (f *scoreFlags) choose() (cells []scoring.Cell, err error) {
	names := strings.Split(f.bugs, ",")
	for _, b := range f.planted() {
		if b.Target != f.target {
			continue
		}
		group := bugsTuned
		if b.HeldOut {
			group = bugsHeldOut
		}
		if !b.Simulated && (f.bugs == bugsAll || f.bugs == group) || slices.Contains(names, b.Name) {
			cells = append(cells, scoring.Cell{Target: b.Target, Bug: b.Name, HeldOut: b.HeldOut})
		}
	}
	if f.bugs != bugsAll && f.bugs != bugsTuned && f.bugs != bugsHeldOut && len(cells) != len(names) {
		return nil, fmt.Errorf(
			"%q is not all, tuned, heldout, or a list of bugs of %s; 'sunder list bugs' has their names",
			f.bugs,
			f.target,
		)
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("no bugs can be planted in %s", f.target)
	}
	return cells, nil
}

// begin returns the score that is in the directory already, or a new one, with the runs of other scores.
func (f *scoreFlags) begin(parts []string, former *score.Score) (s score.Score, err error) {
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return s, err
	}
	switch s, err = score.Read(f.out); {
	case errors.Is(err, fs.ErrNotExist):
		s = score.Score{Schema: score.Schema, Started: time.Now(), Build: sunder.BuildInfo(), Limit: f.limit}
		if former != nil {
			s.Former = append(former.Former, former.InShort()...)
		}
	case err != nil:
		return s, err
	case s.Limit != f.limit && !f.list:
		return s, fmt.Errorf(
			"%s has a score of runs of %s: use --time-limit %s, or another directory",
			f.out,
			s.Limit,
			s.Limit,
		)
	case s.Build["revision"] != sunder.BuildInfo()["revision"] && !f.list:
		return s, fmt.Errorf("%s has a score of another sunder (%.12s): name another directory", f.out, s.Build["revision"])
	}
	for _, part := range parts {
		other, err := score.Read(part)
		if err != nil {
			return s, err
		}
		if len(s.Runs) == 0 {
			s.Started, s.Build, s.Limit = other.Started, other.Build, other.Limit
		}
		if s.Limit != other.Limit || s.Build["revision"] != other.Build["revision"] {
			return s, fmt.Errorf("%s is a score of another sunder, or of runs of %s and not of %s", part, other.Limit, s.Limit)
		}
		s.Merge(other)
	}
	if !f.list {
		for _, p := range f.profiles {
			if !slices.Contains(s.Profiles, p) {
				s.Profiles = append(s.Profiles, p)
			}
		}
	}
	return s, nil
}

// conclude says what came of the score.
func (f *scoreFlags) conclude(cmd *cobra.Command, s score.Score, former *score.Score) error {
	w := cmd.OutOrStdout()
	if f.format == printedJSON {
		if err := writeJSON(w, s); err != nil {
			return err
		}
		w = cmd.ErrOrStderr()
	}
	red := !s.Whole()
	for _, p := range s.Profiles {
		for _, r := range s.Rows(p) {
			mark := ""
			if r.HeldOut {
				mark = "held out"
			}
			fmt.Fprintf(
				w,
				"%-28s %2d of %-2d (%s to %s)  half after %-7s %-9s %s\n",
				r.Bug,
				r.Found,
				r.Runs,
				score.Percent(r.Low),
				score.Percent(r.High),
				score.Seconds(r.Median),
				mark,
				strings.Join(r.First, ", "),
			)
		}
		for _, held := range []bool{false, true} {
			if t := s.Totals(p, held); t.Bugs > 0 {
				name := map[bool]string{false: "bugs", true: "held-out bugs"}[held]
				fmt.Fprintf(w, "%s: %s of %d %s found (%d of %d runs: %s to %s), %d of them in 9 of 10 runs; "+
					"half after %s, 9 of 10 after %s\n",
					p, score.Percent(t.Recall), t.Bugs, name, t.Found, t.Runs, score.Percent(t.Low), score.Percent(t.High), t.Sure,
					score.Seconds(t.Median), score.Seconds(t.P90))
			}
		}
		right := s.Right(p)
		fmt.Fprintf(w, "%s: right systems: %d runs, %d false alarms (at most %s), %d unknown, %d broken; "+
			"%.0f operations a second\n", p, right.Runs,
			right.Alarms, score.Percent(right.Most), right.Unsure, right.Broken, right.Rate)
		red = red || right.Alarms > 0
		if former != nil {
			for _, bug := range s.Lost(*former, p) {
				fmt.Fprintf(w, "%s: %s is found less often than by the former score, by more than chance explains\n", p, bug)
				red = true
			}
		}
	}
	for i, second := range s.Profiles {
		for _, first := range s.Profiles[:i] {
			c := s.Compare(first, second)
			fmt.Fprintf(w, "%s and %s: %d pairs; %d were found by the first alone, %d by the second alone (p = %.3g); "+
				"mean time %s and %s (log-rank p = %.3g)\n",
				first, second, c.Pairs, c.Only1, c.Only2, c.P, score.Seconds(c.Mean1), score.Seconds(c.Mean2), c.PTime)
		}
	}
	fmt.Fprintln(w, filepath.Join(f.out, score.HTMLFile))
	if red {
		return exitCode(child.Invalid)
	}
	return nil
}
