package checkers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// stats counts. An operation that never succeeded was not tested, whatever else was; and one that never succeeded
// while there were faults was not tested under them.
type stats struct{}

// KindCounts attaches counts and latencies for each operation: map[string]Counts.
const KindCounts = "counts"

// Counts are how the calls of one operation ended, and how long the successful ones took.
type Counts struct {
	OK   int           `json:"ok"`
	Fail int           `json:"fail"`
	Info int           `json:"info"`
	P50  time.Duration `json:"p50_ns"`
	P99  time.Duration `json:"p99_ns"`
	Max  time.Duration `json:"max_ns"`
}

// Check implements [Checker].
func (stats) Check(_ context.Context, h *history.History) Result {
	notes := h.Notes()
	counts := make(map[string]Counts)
	took := make(map[string][]time.Duration)
	if notes.Test != nil {
		for _, f := range notes.Test.Operations {
			counts[f] = Counts{}
		}
	}
	if len(counts) == 0 && h.Len() == 0 {
		return Result{Verdict: Unknown, Why: "there are no operations", Attach: attach(KindCounts, counts)}
	}
	var broken []stretch
	for _, f := range notes.Faults {
		if f.Confirmed {
			broken = append(broken, stretch{f.InForce, min(f.Healing, h.End())})
		}
	}
	broken = merged(broken)
	// Where faults never leave a quorum for long, as on one node, nothing can be asked for.
	could := time.Duration(0)
	for _, b := range broken {
		could += length(reachable(notes, b), b)
	}
	under := make(map[string]bool) // faults
	for c := range h.Calls() {
		n := counts[c.F()]
		switch c.Kind() {
		case history.OK:
			n.OK++
			took[c.F()] = append(took[c.F()], c.End()-c.Begin())
			if within(broken, c.Begin()) || within(broken, c.End()) {
				under[c.F()] = true
			}
		case history.Fail:
			n.Fail++
		default:
			n.Info++
		}
		counts[c.F()] = n
	}
	var never, calm, words []string
	for _, f := range slices.Sorted(maps.Keys(counts)) {
		c := counts[f]
		if t := took[f]; len(t) > 0 {
			slices.Sort(t)
			c.P50, c.P99, c.Max = t[len(t)/2], t[len(t)*99/100], t[len(t)-1]
			counts[f] = c
			if could >= shortest && !under[f] {
				calm = append(calm, quoted(f))
			}
		} else {
			never = append(never, quoted(f))
		}
		words = append(words, fmt.Sprintf("%s %d ok, %d fail, %d info", quoted(f), c.OK, c.Fail, c.Info))
	}
	r := Result{Verdict: Valid, Why: strings.Join(words, "; "), Attach: attach(KindCounts, counts)}
	switch {
	case len(counts) == 0:
		r.Verdict, r.Why = Unknown, "there are no operations"
	case len(never) > 0:
		r.Verdict, r.Why = Unknown, fmt.Sprintf("%s never succeeded (%s): more clients, a longer run or another mix may help",
			strings.Join(never, ", "), r.Why)
	case len(calm) > 0:
		r.Verdict, r.Why = Unknown, fmt.Sprintf(
			"%s never succeeded while there were faults (%s): more clients, shorter faults or a longer run may help",
			strings.Join(calm, ", "),
			r.Why,
		)
	}
	return r
}
