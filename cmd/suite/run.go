package suite

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports"
)

// Runner runs the cells of a suite, a few at a time, each in a process of its own.
type Runner struct {
	// Program is the sunder that runs them, and Out the directory for the runs.
	Program, Out string
	// Jobs is how many runs there are at a time, and Budget after how long none is begun any more that would end later; 0
	// is no limit.
	Jobs   int
	Budget time.Duration
	// AtLeast is the time that a run takes if all goes well, and AtMost if nothing does.
	AtLeast, AtMost func(Cell) time.Duration
	// Began and Ended, if they are there, are told of each run. Ended is called by one run at a time.
	Began func(i int, o reports.Outcome)
	Ended func(done int, o reports.Outcome)
	// Warn is told what could not be written meanwhile.
	Warn func(error)
}

// Run runs all cells, and writes how each ended into the suite's file as soon as it has.
func (r Runner) Run(ctx context.Context, cells []Cell, result *reports.Suite) {
	slots := make(chan struct{}, r.Jobs)
	var wait sync.WaitGroup
	var mu sync.Mutex // over the result
	done := 0
	end := func(i int, o reports.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		result.Outcomes[i], result.Took = o, time.Since(result.Started)
		if err := result.Save(r.Out); err != nil {
			r.Warn(err) // the next one may be written, and the last one must be
		}
		done++
		r.Ended(done, o)
	}
	for i, c := range cells {
		slots <- struct{}{}
		mu.Lock()
		o := result.Outcomes[i]
		r.Began(i, o)
		mu.Unlock()
		switch {
		case ctx.Err() != nil:
			o.Why = "the suite was interrupted"
		case r.Budget > 0 && time.Since(result.Started)+r.AtLeast(c) > r.Budget:
			o.Why = "the suite's time budget is spent"
		default:
			wait.Go(func() {
				defer func() { <-slots }()
				end(i, r.runCell(ctx, c, o))
			})
			continue
		}
		<-slots
		end(i, o)
	}
	wait.Wait()
}

// runCell runs one cell in a process of its own: whatever becomes of it, the suite goes on. How it ended is what
// its results say, if its exit code says the same.
func (r Runner) runCell(ctx context.Context, c Cell, o reports.Outcome) reports.Outcome {
	limited, stop := context.WithTimeout(ctx, r.AtMost(c))
	defer stop()
	started := time.Now()
	end, err := child.Run(limited, r.Program, r.Out, c.Args())
	o.Took, o.Dir, o.Why = time.Since(started), end.Dir, ""
	if end.Summary != nil {
		o.Why, o.Command = end.Summary.Why, end.Summary.Command
	}
	switch verdict, ok := end.Says(); {
	case verdict == checkers.Invalid && c.Expect.Unmet(*end.Summary) != "": // that stands however the run ended
		o.Status, o.Why = reports.Failed, strings.TrimSpace(c.Expect.Unmet(*end.Summary)+" "+end.Summary.Story.Chain())
	case err != nil:
		o.Status, o.Why = reports.Broken, err.Error()
	case ok && end.Summary.Missed && c.Expect.Violation():
		o.Status = reports.Failed
	case ok && verdict == checkers.Unknown:
		o.Status = reports.Unknown
	case ok && c.Expect.Unmet(*end.Summary) == "":
		o.Status = reports.Passed
	case ok && verdict == checkers.Valid:
		o.Status, o.Why = reports.Failed, "a violation was expected, and none was found"
	case end.Code == child.Interrupted && ctx.Err() != nil:
		o.Status, o.Why = reports.NotRun, "the suite was interrupted"
	case limited.Err() != nil:
		o.Status, o.Why = reports.Broken, fmt.Sprintf("it did not end in %s, and was ended", r.AtMost(c))
	case end.Summary == nil:
		o.Status, o.Why = reports.Broken, fmt.Sprintf("exit code %d and no verdict: %s", end.Code, end.Stderr)
	default:
		o.Status, o.Why = reports.Broken, fmt.Sprintf(
			"%s (exit code %d, and its results say %s: %s)",
			o.Why,
			end.Code,
			end.Summary.Verdict,
			end.Stderr,
		)
	}
	return o
}
