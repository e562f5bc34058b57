package checkers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// linear checks that the operations on each key are linearizable (Herlihy and Wing 1990): there is
// an order of them that a single register would answer in the same way, and in which whatever
// ended before another began comes first. Linearizability is local, so keys are checked apart.
//
// The search is porcupine's. Two facts about registers keep it small: a call in doubt whose value
// nobody observed can be left out, since an order that has it is legal without it; and what
// cannot be explained is cut down to the few operations that already cannot.
type linear struct{ Budget }

// KindTimeline attaches the operations that cannot be explained: a [Timeline].
const KindTimeline = "timeline"

// Timeline is a small part of the history of one key that no order explains.
type Timeline struct {
	Key string       `json:"key"`
	Ops []TimelineOp `json:"ops"`
	// Whole says how many operations the key has in all.
	Whole int `json:"whole"`
}

// TimelineOp is one operation of a timeline.
type TimelineOp struct {
	Index   int           `json:"index"` // of the invocation
	Process int           `json:"process"`
	Node    string        `json:"node"`
	Text    string        `json:"text"` // "write 3", "read -> 4"
	Call    time.Duration `json:"call_ns"`
	Return  time.Duration `json:"return_ns"` // history.Never if it is in doubt
	// Culprit marks the operation without whose answer there would be an explanation.
	Culprit bool `json:"culprit,omitempty"`
}

// maxTimelines bounds how many keys are explained; the others are counted.
const maxTimelines = 3

// Check implements [Checker].
func (l linear) Check(ctx context.Context, h *history.History) Result {
	keys, err := registers(h)
	if err != nil {
		return Result{Verdict: Unknown, Why: err.Error()}
	}
	if len(keys) == 0 {
		return Result{Verdict: Unknown, Why: "there are no operations on registers"}
	}
	search, stop := newSearch(ctx, l.Budget)
	defer stop()
	names := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Compare(keys[a][0].call, keys[b][0].call)
	})
	verdicts := decideAll(search, keys, names)

	var bad, open []string
	ops := 0
	for i, name := range names {
		ops += len(keys[name])
		switch verdicts[i] {
		case Invalid:
			bad = append(bad, name)
		case Unknown:
			open = append(open, fmt.Sprintf("%s (%d operations)", name, len(keys[name])))
		}
	}
	switch {
	case len(bad) > 0:
		r := explain(search, keys, bad)
		if t, ok := h.Test(); ok && t.Caveat != "" {
			r.Why += "; " + clip(t.Caveat, maxText)
		}
		return r
	case len(open) > 0:
		return Result{Verdict: Unknown, Why: fmt.Sprintf("%s: %d of %d keys are undecided: %s",
			search.reason(), len(open), len(names), strings.Join(open[:min(len(open), 5)], ", "))}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("%d operations on %d keys are linearizable", ops, len(names))}
}

// decideAll decides keys side by side, one a processor.
func decideAll(s *search, keys map[string][]op, names []string) []Verdict {
	verdicts := make([]Verdict, len(names))
	next := make(chan int)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				verdicts[i] = s.decideSafely(keys[names[i]])
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	wait.Wait()
	return verdicts
}

// explain cuts the keys that cannot be explained down to what shows it.
func explain(s *search, keys map[string][]op, bad []string) Result {
	r := Result{Verdict: Invalid}
	for i, name := range bad[:min(len(bad), maxTimelines)] {
		line, part := s.timeline(name, keys[name])
		if s.searched(part) == Valid {
			return Result{Verdict: Unknown, Why: fmt.Sprintf(
				"two engines differ on %d operations of key %s: that is a mistake in sunder; please report it with this history", len(part), name)}
		}
		if i == 0 {
			r.Why = words(line)
		}
		for _, o := range line.Ops {
			r.Ops = append(r.Ops, o.Index)
		}
		r.Attach = append(r.Attach, attach(KindTimeline, line)...)
	}
	if more := len(bad) - 1; more > 0 {
		r.Why += fmt.Sprintf("; %d more keys are not linearizable either", more)
	}
	return r
}

// words says in one sentence what cannot be.
func words(t Timeline) string {
	for _, o := range t.Ops {
		if o.Culprit {
			return fmt.Sprintf("key %s is not linearizable: no order of %d operations explains %s (process %d at %s, %s to %s)",
				t.Key, len(t.Ops), o.Text, o.Process, o.Node, seconds(o.Call), seconds(o.Return))
		}
	}
	return fmt.Sprintf("key %s is not linearizable: no order explains these %d operations", t.Key, len(t.Ops))
}

// Text draws a timeline for a terminal or a bug report, one line an operation.
func (t Timeline) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "key %s\n", t.Key)
	for _, o := range t.Ops {
		mark, end := " ", seconds(o.Return)
		if o.Culprit {
			mark = "!"
		}
		if o.Return == history.Never {
			end = "in doubt"
		}
		fmt.Fprintf(&b, "%s %10s .. %-10s  process %-4d %-4s %s\n", mark, seconds(o.Call), end, o.Process, o.Node, o.Text)
	}
	return b.String()
}
