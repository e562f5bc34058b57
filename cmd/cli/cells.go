package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sunder-dev/sunder/cmd/suite"
	"github.com/sunder-dev/sunder/reports"
)

// runAll runs the cells of a suite, and says how each ended as soon as it has: to people, and in the
// suite's file.
func (f *suiteFlags) runAll(cmd *cobra.Command, cells []suite.Cell, result *reports.Suite) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	say := cmd.ErrOrStderr()
	file, ok := say.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	suite.Runner{
		Program: program, Out: f.out, Jobs: f.jobs, Budget: f.budget, AtLeast: f.atLeast, AtMost: f.atMost,
		Warn: func(err error) { fmt.Fprintf(say, "warning: %v\n", err) },
		Began: func(i int, o reports.Outcome) {
			if terminal {
				fmt.Fprintf(file, "%s[%d/%d] … %s", clearLine, i+1, len(cells), o.Name)
			}
		},
		Ended: func(done int, o reports.Outcome) {
			if terminal {
				fmt.Fprint(file, clearLine)
			}
			fmt.Fprintf(say, "[%*d/%d] %-7s %5.1f s  %s%s\n", len(fmt.Sprint(len(cells))), done, len(cells), o.Status,
				o.Took.Seconds(), o.Name, asExpected(o))
		},
	}.Run(cmd.Context(), cells, result)
	return nil
}

func asExpected(o reports.Outcome) string {
	if o.Status == reports.Passed && reports.Expectation(o.Expect).Violation() {
		return " (invalid, as expected)"
	}
	return ""
}

// duration returns one of a cell's flags; what a run takes if it says nothing.
func (a app) duration(c suite.Cell, flag string) time.Duration {
	flags := a.newRunCommand().Flags()
	if v, ok := c.Flags[flag]; ok {
		_ = flags.Set(flag, v) // it was tried when the suite was read
	}
	d, _ := flags.GetDuration(flag) // there is such a flag
	return d
}

// atLeast is the time that a run takes if all goes well, and atMost if nothing does.
func (a app) atLeast(c suite.Cell) time.Duration { return a.duration(c, "time-limit") + 5*time.Second }

func (a app) atMost(c suite.Cell) time.Duration {
	const slack, most = 5 * time.Minute, 100 * 24 * time.Hour
	sum := slack
	for _, flag := range []string{"time-limit", "launch-timeout", "recover-timeout", "check-timeout"} {
		sum += min(max(a.duration(c, flag), 0), most)
	}
	return sum
}
