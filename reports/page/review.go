package page

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/view"
)

// answer is what was observed of one question that people who run a consensus ask of it.
type answer struct {
	Question, Answer string
	// Look says that this deserves a look. It is no verdict.
	Look bool
	// From and To are where in the run it shows; both 0 if nowhere.
	From, To time.Duration
}

// review answers the questions from what was observed, and from nothing else.
func review(h *history.History, test history.Test, faults []history.Fault, results []checkers.Result) []answer {
	load, ok := h.Notes().Phase(history.PhaseLoad)
	if !ok {
		load = history.Span{To: h.End()}
	}
	v := observed{h, h.Notes(), test, faults, reigns(h), make(map[string][]reign), load}
	for _, r := range v.reigns {
		v.led[r.node] = append(v.led[r.node], r)
	}
	var answers []answer
	for _, ask := range []func() (answer, bool){
		v.quorum, v.timing, v.stability, v.detection, v.followers, v.minority, v.recovery,
	} {
		if a, ok := ask(); ok {
			answers = append(answers, a)
		}
	}
	return append(answers, v.survival(results))
}

// observed is what a review looks at.
type observed struct {
	h      *history.History
	notes  *history.Notes
	test   history.Test
	faults []history.Fault
	reigns []reign
	led    map[string][]reign // by node
	load   history.Span
}

func (v observed) quorum() (answer, bool) {
	n := len(v.test.Nodes)
	if n == 0 {
		return answer{}, false
	}
	a := answer{Question: "How large is a quorum?", Answer: fmt.Sprintf("%d of %d nodes; %d may fail.", n/2+1, n, (n-1)/2)}
	if n%2 == 0 {
		a.Look = true
		a.Answer += fmt.Sprintf(" The number is even: %d nodes would bear as many failures.", n-1)
	}
	return a, true
}

// timing compares heartbeats, election timeouts and the time that a change takes, which is the broadcast time and a
// little more (Raft, section 5.6: broadcast time << election timeout).
func (v observed) timing() (answer, bool) {
	if v.test.Timing == nil || v.test.Timing.Heartbeat <= 0 || v.test.Timing.Election <= 0 {
		return answer{}, false
	}
	set := *v.test.Timing
	beats := float64(set.Election) / float64(set.Heartbeat)
	a := answer{Question: "Is there room between heartbeats and elections?", Look: beats < 3}
	a.Answer = fmt.Sprintf(
		"A heartbeat every %s, an election after %s at the earliest: %.1f heartbeats may be missed before.",
		set.Heartbeat,
		set.Election,
		beats,
	)
	var took []time.Duration
	for op := range v.h.Calls() {
		if op.Kind() == history.OK && !v.reads(op.F()) {
			took = append(took, op.End()-op.Begin())
		}
	}
	if len(took) > 0 {
		change := median(took)
		a.Answer += fmt.Sprintf(
			" A change took %s (median), so that a broadcast fits %.0f times into an election timeout.",
			change.Round(10*time.Microsecond),
			float64(set.Election)/float64(max(change, 1)),
		)
		a.Look = a.Look || set.Election < 10*change
	}
	return a, true
}

// reads reports whether the operations of a name change nothing.
func (v observed) reads(f string) bool { return v.notes.ReadOnly(f) }

// timeouts writes a time as a multiple of the election timeout, if that is known.
func (v observed) timeouts(d time.Duration) string {
	if v.test.Timing == nil || v.test.Timing.Election <= 0 {
		return ""
	}
	return fmt.Sprintf(" (%.1f election timeouts)", float64(d)/float64(v.test.Timing.Election))
}

// stability counts terms that got a leader, and those of them while no fault was in force.
func (v observed) stability() (answer, bool) {
	highest, elections := uint64(0), 0
	var calm []time.Duration
	for _, r := range v.reigns {
		if r.term <= highest {
			continue
		}
		first := highest == 0
		highest = r.term
		if first || r.from < v.load.From || r.from > v.load.To {
			continue
		}
		elections++
		if !slices.ContainsFunc(v.faults, func(f history.Fault) bool {
			return r.from >= f.Began && (f.Healed == history.Never || r.from <= f.Healed+time.Second)
		}) {
			calm = append(calm, r.from)
		}
	}
	minutes := (v.load.To - v.load.From).Minutes()
	if len(v.reigns) == 0 || minutes <= 0 {
		return answer{}, false
	}
	a := answer{
		Question: "How stable are leaders?",
		Answer: fmt.Sprintf(
			"%s under load, %.1f a minute, of which %d with no fault in force in the second before.",
			view.Count(elections, "election"),
			float64(elections)/minutes,
			len(calm),
		),
	}
	if len(calm) > 0 {
		a.Look, a.From, a.To = true, calm[0]-time.Second, calm[0]+time.Second
	}
	return a, true
}

// leads says whether a node led at a moment, as far as is known.
func (v observed) leads(node string, at time.Duration) bool {
	led := v.led[node] // one after the other
	i, _ := slices.BinarySearchFunc(led, at, func(r reign, t time.Duration) int {
		if r.to <= t {
			return -1
		}
		return 1
	})
	return i < len(led) && led[i].from <= at
}

// hit returns the nodes that a fault took from the rest: killed, paused, or in a minority. One that was not seen to
// act took none, and neither does one that loses some packets.
func (v observed) hit(f history.Fault) []string {
	if !f.Confirmed {
		return nil
	}
	if len(f.Took.Cut) == 0 {
		return f.Took.Down
	}
	cut := make(map[history.Link]bool)
	for _, l := range f.Took.Cut {
		cut[l] = true
	}
	var minority []string
	members := v.notes.MembersAt(f.Began)
	for _, n := range members {
		reach := 0 // nodes that n can still talk with, itself among them
		for _, other := range members {
			if n == other || !cut[history.Link{From: n, To: other}] && !cut[history.Link{From: other, To: n}] {
				reach++
			}
		}
		if reach <= len(members)/2 {
			minority = append(minority, n)
		}
	}
	return minority
}

// detection measures how long it took to replace a leader that a fault took away.
func (v observed) detection() (answer, bool) {
	var took []time.Duration
	var slowest history.Fault
	lost, all := 0, checkers.Elections(v.h.Notes())
	for _, f := range v.faults {
		taken := v.hit(f)
		members := v.notes.MembersAt(f.Began)
		if left := len(members) - len(taken); left <= len(members)/2 {
			continue // nobody can win an election
		}
		if !slices.ContainsFunc(taken, func(n string) bool { return v.leads(n, f.Began) }) {
			continue
		}
		lost++
		if t, ok := checkers.NewLeader(all, f, taken); ok {
			if len(took) == 0 || t > slices.Max(took) {
				slowest = f
			}
			took = append(took, t)
		}
	}
	if lost == 0 {
		return answer{}, false
	}
	a := answer{Question: "How soon is a lost leader replaced?"}
	if len(took) == 0 {
		a.Look, a.Answer = true, fmt.Sprintf(
			"%s took the leader away; none lasted until another one was elected.",
			view.Count(lost, "fault"),
		)
		return a, true
	}
	a.Answer = fmt.Sprintf(
		"%s took the leader away; in %d of them another one led while the fault was in force, after %s (median), %s at "+
			"most%s.",
		view.Count(lost, "fault"),
		len(took),
		milli(median(took)),
		milli(slices.Max(took)),
		v.timeouts(slices.Max(took)),
	)
	a.From, a.To = slowest.Began-time.Second/2, slowest.InForce+slices.Max(took)+time.Second/2
	return a, true
}

func milli(d time.Duration) string { return d.Round(time.Millisecond).String() }

// followers counts what nodes that did not lead did with changes.
func (v observed) followers() (answer, bool) {
	if len(v.reigns) == 0 || len(v.test.Nodes) < 2 {
		return answer{}, false
	}
	served, refused, doubt := 0, 0, 0
	others := func(op history.Call) bool { // another node leads, as far as is known
		return slices.ContainsFunc(v.test.Nodes, func(n string) bool { return n != op.Node() && v.leads(n, op.Begin()) })
	}
	for op := range v.h.Calls() {
		if v.reads(op.F()) || op.Begin() < v.load.From || v.leads(op.Node(), op.Begin()) || !others(op) {
			continue
		}
		switch op.Kind() {
		case history.OK:
			served++
		case history.Fail:
			refused++
		default:
			doubt++
		}
	}
	return answer{Question: "What do followers do with changes?", Answer: fmt.Sprintf(
		"Of the changes that were asked of a node while another one led, %d were made, %d refused (mismatches among "+
			"them), %d are in doubt.",
		served,
		refused,
		doubt,
	)}, true
}

// minority counts what a side without a quorum answered while it was cut off.
func (v observed) minority() (answer, bool) {
	type stretch struct {
		nodes    []string
		from, to time.Duration
	}
	var stretches []stretch
	for _, f := range v.faults {
		if len(f.Took.Cut) == 0 {
			continue
		}
		if nodes := v.hit(f); len(nodes) > 0 {
			stretches = append(stretches, stretch{nodes, f.InForce, f.Healing})
		}
	}
	if len(stretches) == 0 {
		return answer{}, false
	}
	answered := make(map[string]int)
	total := 0
	a := answer{Question: "Does a side without a quorum serve?"}
	slices.SortFunc(stretches, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var open []stretch // those that have begun, and not ended, when an operation is called
	next := 0
	for op := range v.h.Calls() {
		for ; next < len(stretches) && stretches[next].from <= op.Begin(); next++ {
			open = append(open, stretches[next])
		}
		open = slices.DeleteFunc(open, func(s stretch) bool { return s.to <= op.Begin() })
		if op.Kind() != history.OK {
			continue
		}
		for _, s := range open {
			if op.End() < s.to && slices.Contains(s.nodes, op.Node()) {
				if total == 0 {
					a.From, a.To = op.Begin()-100*time.Millisecond, op.End()+100*time.Millisecond
				}
				answered[op.F()]++
				total++
				break
			}
		}
	}
	a.Answer = fmt.Sprintf("Nodes were cut off from a majority %s; ", view.Count(len(stretches), "time"))
	if total == 0 {
		a.Answer += "no call that began and ended there got an answer."
		return a, true
	}
	a.Look = true
	a.Answer += fmt.Sprintf(
		"%s that began and ended there got an answer: %s.",
		view.Count(total, "call"),
		listed(answered),
	)
	return a, true
}

func listed(counts map[string]int) string {
	var words []string
	for _, f := range sortedKeys(counts) {
		words = append(words, fmt.Sprintf("%d %s", counts[f], f))
	}
	return strings.Join(words, ", ")
}

// recovery measures how long it took from a heal until a call succeeded.
func (v observed) recovery() (answer, bool) {
	var heals []history.Fault
	for _, f := range v.faults {
		if f.Healed != history.Never {
			heals = append(heals, f)
		}
	}
	if len(heals) == 0 {
		return answer{}, false
	}
	slices.SortFunc(heals, func(a, b history.Fault) int { return cmp.Compare(a.Healed, b.Healed) })
	first := make([]time.Duration, len(heals)) // return of a call that began after it
	for i := range first {
		first[i] = history.Never
	}
	for op := range v.h.Calls() {
		if op.Kind() != history.OK {
			continue
		}
		if i := sort.Search(len(heals), func(i int) bool { return heals[i].Healed > op.Begin() }) - 1; i >= 0 {
			first[i] = min(first[i], op.End())
		}
	}
	next := history.Never
	for i := len(first) - 1; i >= 0; i-- {
		if next = min(next, first[i]); next != history.Never {
			first[i] = next - heals[i].Healed
		}
	}
	var took []time.Duration
	a := answer{Question: "How soon does it serve after a fault is healed?"}
	for i, f := range heals {
		if first[i] == history.Never {
			continue
		}
		if len(took) == 0 || first[i] > slices.Max(took) {
			a.From, a.To = f.Healed-time.Second/2, f.Healed+first[i]+time.Second/2
		}
		took = append(took, first[i])
	}
	if len(took) == 0 {
		a.Look, a.Answer = true, fmt.Sprintf("No call succeeded after any of %s.", view.Count(len(heals), "heal"))
		return a, true
	}
	a.Answer = fmt.Sprintf(
		"After %s the first call succeeded within %s (median), %s at most.",
		view.Count(len(took), "heal"),
		milli(median(took)),
		milli(slices.Max(took)),
	)
	if missing := len(heals) - len(took); missing > 0 {
		a.Look = true
		a.Answer += fmt.Sprintf(" After %s none did.", view.Count(missing, "heal"))
	}
	return a, true
}

// survival says what became of acknowledged writes.
func (v observed) survival(results []checkers.Result) answer {
	writes, reads := 0, 0
	at := make(map[string]bool) // nodes
	final := history.Never
	if s, ok := v.h.Notes().Phase(history.PhaseFinal); ok {
		final = s.From
	}
	for op := range v.h.Calls() {
		switch {
		case op.Kind() != history.OK:
		case !v.reads(op.F()):
			writes++
		case op.Begin() >= final:
			reads++
			at[op.Node()] = true
		}
	}
	a := answer{
		Question: "Did acknowledged changes survive?",
		Look:     true,
		Answer:   view.Count(writes, "change") + " acknowledged. ",
	}
	if reads == 0 {
		a.Answer += "Nothing was read at the end, so that nothing is known of the last of them."
		return a
	}
	a.Answer += fmt.Sprintf(
		"%s at the end, at %d of %s. ",
		view.Count(reads, "read"),
		len(at),
		view.Count(len(v.test.Nodes), "node"),
	)
	for _, r := range results {
		if r.Checker != "linear" {
			continue
		}
		switch r.Verdict {
		case checkers.Valid:
			a.Look = false
			a.Answer += "All that was read fits an order of them."
		case checkers.Invalid:
			a.Answer += "What was read does not fit them: see the violation."
		default:
			a.Answer += "Whether what was read fits them is not known."
		}
		return a
	}
	a.Answer += "That was not checked."
	return a
}

func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	times = slices.Sorted(slices.Values(times))
	return times[len(times)/2]
}
