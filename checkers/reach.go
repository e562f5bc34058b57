package checkers

import (
	"cmp"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// stretch is a part of a run.
type stretch struct{ from, to time.Duration }

// reachable returns the parts of a span in which a quorum of the members could be reached, as far as the faults tell:
// some member that runs could talk, both ways, with enough others for a majority. A link that loses packets counts as
// cut: how much is served over it is not known.
func reachable(notes *history.Notes, span stretch) []stretch {
	times := []time.Duration{span.from, span.to}
	add := func(t time.Duration) {
		if t > span.from && t < span.to {
			times = append(times, t)
		}
	}
	for _, f := range notes.Faults {
		add(f.Began)
		add(f.Healed)
	}
	for _, m := range notes.Memberships {
		add(m.At)
	}
	slices.Sort(times)
	times = slices.Compact(times)
	var parts []stretch
	for i := 1; i < len(times); i++ {
		part := stretch{times[i-1], times[i]}
		if !quorate(notes.Faults, notes.MembersAt(part.from), part) {
			continue
		}
		if n := len(parts); n > 0 && parts[n-1].to == part.from {
			parts[n-1].to = part.to
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// quorate reports whether clients can reach a quorum during a part of a run in which no fault begins or ends.
func quorate(faults []history.Fault, nodes []string, part stretch) bool {
	var taken history.Takes
	for _, f := range faults {
		if f.Began >= part.to || f.Healed <= part.from {
			continue
		}
		taken.Down = append(taken.Down, f.Took.Down...)
		taken.Stranded = append(taken.Stranded, f.Took.Stranded...)
		taken.Cut = append(taken.Cut, slices.Concat(f.Took.Cut, f.Took.Lossy)...)
	}
	return taken.Served(nodes)
}

// merged returns the parts of a run that lie in any of some parts, in order.
func merged(parts []stretch) (all []stretch) {
	slices.SortFunc(parts, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for _, p := range parts {
		if n := len(all); n > 0 && p.from <= all[n-1].to {
			all[n-1].to = max(all[n-1].to, p.to)
		} else {
			all = append(all, p)
		}
	}
	return all
}

// within reports whether a time lies in one of some parts, which are in order.
func within(parts []stretch, t time.Duration) bool {
	i, _ := slices.BinarySearchFunc(parts, t, func(p stretch, t time.Duration) int {
		if p.to < t {
			return -1
		}
		return 1
	})
	return i < len(parts) && parts[i].from <= t
}

// length adds up parts of a run, as far as they lie in a span.
func length(parts []stretch, span stretch) (sum time.Duration) {
	for _, p := range parts {
		if from, to := max(p.from, span.from), min(p.to, span.to); to > from {
			sum += to - from
		}
	}
	return sum
}
