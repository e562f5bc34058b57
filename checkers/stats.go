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

// stats counts. An operation that never succeeded was not tested, whatever else was.
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
	counts := make(map[string]Counts)
	took := make(map[string][]time.Duration)
	for op := range h.Ops() {
		c := counts[op.Call.F]
		switch op.Return.Kind {
		case history.OK:
			c.OK++
			took[op.Call.F] = append(took[op.Call.F], op.Return.At-op.Call.At)
		case history.Fail:
			c.Fail++
		default:
			c.Info++
		}
		counts[op.Call.F] = c
	}
	var never, words []string
	for _, f := range slices.Sorted(maps.Keys(counts)) {
		c := counts[f]
		if t := took[f]; len(t) > 0 {
			slices.Sort(t)
			c.P50, c.P99, c.Max = t[len(t)/2], t[len(t)*99/100], t[len(t)-1]
			counts[f] = c
		} else {
			never = append(never, f)
		}
		words = append(words, fmt.Sprintf("%s %d ok, %d fail, %d info", f, c.OK, c.Fail, c.Info))
	}
	r := Result{Verdict: Valid, Why: strings.Join(words, "; "), Attach: attach(KindCounts, counts)}
	switch {
	case len(counts) == 0:
		r.Verdict, r.Why = Unknown, "there are no operations"
	case len(never) > 0:
		r.Verdict, r.Why = Unknown, fmt.Sprintf("%s never succeeded (%s)", strings.Join(never, ", "), r.Why)
	}
	return r
}
