package reports

import (
	"fmt"
	"strings"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/waypoint"
)

// Coverage is how often a run came to each of the situations that there are.
type Coverage []waypoint.Reach

// CoverageOf returns the situations that a recorded run has come to; nil if it has no faults.
func CoverageOf(h *history.History) Coverage { return waypoint.Of(h) }

// Reached returns the names of the situations that were come to.
func (c Coverage) Reached() (names []string) {
	for _, r := range c {
		if r.Times > 0 {
			names = append(names, r.Name)
		}
	}
	return names
}

// Missed returns the names of those that were not, and could have been seen.
func (c Coverage) Missed() (names []string) {
	for _, r := range c {
		if r.Times == 0 && !r.Unseen {
			names = append(names, r.Name)
		}
	}
	return names
}

// Unseen returns the names of those that the target does not tell of.
func (c Coverage) Unseen() (names []string) {
	for _, r := range c {
		if r.Unseen {
			names = append(names, r.Name)
		}
	}
	return names
}

// Seen is how many situations the target tells enough of.
func (c Coverage) Seen() int { return len(c) - len(c.Unseen()) }

// And returns what two runs came to together.
func (c Coverage) And(other Coverage) Coverage {
	if len(c) == 0 {
		return other
	}
	sum := append(Coverage(nil), c...)
	for i, r := range sum {
		for _, o := range other {
			if o.Name == r.Name {
				sum[i].Times, sum[i].Unseen = r.Times+o.Times, r.Unseen && o.Unseen
			}
		}
	}
	return sum
}

// Sentence says in one line what a run came to, and what it did not: a pass says nothing of that.
func (c Coverage) Sentence() string {
	if len(c) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d situations were reached", len(c.Reached()), c.Seen())
	if missed := c.Missed(); len(missed) > 0 {
		text += "; not: " + strings.Join(missed, ", ")
	}
	return text
}
