package checkers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// modelSingle is the model of leader in which terms do not count.
const modelSingle = "single"

// single checks that at most one node leads at a time. It is for systems whose terms protect nothing, as nobody refuses
// what comes with an old one: there, the second leader is the damage. In systems such as Raft a leader that was deposed
// may believe for a while that it leads, and can do no harm.
//
// It rests on what nodes answer about themselves. Two lead at once if one says that it leads, later another one does,
// and later still the first one does again, in the same term: each so much later that the answers were given in this
// order.
type single struct{}

// outages returns when each node ended by itself, or was killed, or paused.
func outages(notes *history.Notes) map[string][]time.Duration {
	at := make(map[string][]time.Duration)
	for _, f := range notes.Faults {
		for _, n := range f.Took.Down {
			at[n] = append(at[n], f.Began)
		}
	}
	for _, e := range notes.Exits {
		at[e.Node] = append(at[e.Node], e.At)
	}
	return at
}

// answerWithin is how long a node may take to answer about itself: what comes by so much later was asked later.
const answerWithin = 500 * time.Millisecond

// Check implements [Checker].
func (single) Check(_ context.Context, h *history.History) Result {
	notes := h.Notes()
	load, _ := notes.Phase(history.PhaseLoad)
	type reign struct{ first, last history.Said[history.Status] }
	var reigns []reign
	open := make(map[string]int) // by node: its reign that has not ended
	var leads []history.Said[history.Status]
	downs := outages(notes)
	for _, s := range notes.Statuses {
		i, reigning := open[s.Node]
		if reigning && slices.ContainsFunc(downs[s.Node], func(t time.Duration) bool {
			return t > reigns[i].last.At && t <= s.At
		}) {
			reigning = false // it may have begun anew
		}
		if s.What.Role != "leader" {
			delete(open, s.Node)
			continue
		}
		if s.At < load.From {
			continue // whoever is up first may lead until the others are
		}
		leads = append(leads, s)
		if reigning && reigns[i].first.What.Term == s.What.Term {
			reigns[i].last = s
			continue
		}
		open[s.Node] = len(reigns)
		reigns = append(reigns, reign{s, s})
	}
	for _, r := range reigns {
		for _, s := range leads {
			if s.Node == r.first.Node || s.At < r.first.At+answerWithin || s.At > r.last.At-answerWithin {
				continue
			}
			return Result{
				Verdict: Invalid, Ops: []int{r.first.Index, s.Index, r.last.Index},
				Why: fmt.Sprintf("two nodes led at once: %s said at %s that it leads (term %d), %s said so at %s (term %d), and "+
					"%s still did at %s", quoted(r.first.Node), seconds(r.first.At), r.first.What.Term, quoted(s.Node),
					seconds(s.At), s.What.Term, quoted(r.first.Node), seconds(r.last.At)),
			}
		}
	}
	if len(notes.Claims) == 0 && len(reigns) == 0 {
		return Result{
			Verdict: Unknown,
			Why:     "no node ever said that it leads, so that there is nothing to check: use a longer run",
		}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("leaders were elected %s, and no two led at once, as far as they "+
		"could be asked", times(len(Elections(notes))+1))}
}
