// Package story tells what happened in a run that broke a promise: what broke, and the few dated facts that led to it.
// All of it is in the history. What was not seen is not told: that something caused something else is for the reader to
// say, who sees what came before it.
package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// Story is what happened.
type Story struct {
	// Class is what kind of violation it is: [StaleRead], [DoubleLeader].
	Class Class `json:"class"`
	// Checker found it.
	Checker string `json:"checker"`
	// Headline is one sentence: who did what, when, and what contradicts it.
	Headline string `json:"headline"`
	// Facts led to it, in order. The last one is the violation.
	Facts []Fact `json:"facts"`
}

// Lines are the facts, a line each, indented, as they follow the headline; empty of a run in which nothing broke.
func (s *Story) Lines() string {
	if s == nil {
		return ""
	}
	var b strings.Builder
	for _, f := range s.Facts {
		b.WriteString("\n    " + f.Text)
	}
	return b.String()
}

// Chain is all facts in one line.
func (s *Story) Chain() string {
	if s == nil {
		return ""
	}
	var words []string
	for _, f := range s.Facts {
		words = append(words, f.Text)
	}
	return strings.Join(words, " ")
}

// Fact is something that was seen.
type Fact struct {
	At    time.Duration `json:"at_ns"`
	Text  string        `json:"text"`  // a sentence, with its time
	Index int           `json:"index"` // of the event
}

// Class is a kind of violation.
type Class string

// The classes, the worst first.
const (
	DoubleLeader    Class = "double leader"   // two in one term
	LeadersAtOnce   Class = "leaders at once" // in two terms, of a target that promises one at a time
	DivergedState   Class = "diverged state"
	LostWrite       Class = "lost write"
	DoubleHolder    Class = "double holder"
	StaleToken      Class = "stale token"
	LostUpdate      Class = "lost update"
	DirtyRead       Class = "dirty read" // of a write that had failed
	Phantom         Class = "phantom"    // a value that nobody wrote
	StaleRead       Class = "stale read"
	NotLinearizable Class = "not linearizable"
	BrokenLease     Class = "broken lease"
	NoRecovery      Class = "no recovery"
	Violation       Class = "violation" // of a checker that is not known here
)

var classes = []Class{
	DoubleLeader, LeadersAtOnce, DivergedState, LostWrite, DoubleHolder, StaleToken, LostUpdate, DirtyRead, Phantom,
	StaleRead, NotLinearizable, BrokenLease, NoRecovery, Violation,
}

// tellers make stories of the results of checkers.
var tellers = map[string]func(*teller) *Story{
	"leader": (*teller).leaders, "leader:single": (*teller).leadersAtOnce, "state": (*teller).state,
	"mutex": (*teller).holders, "fencing": (*teller).tokens, "lease": (*teller).lease, "recovery": (*teller).recovery,
}

// Of tells the worst of what was found; nil if nothing was.
func Of(h *history.History, results []checkers.Result) (worst *Story) {
	rank := func(s *Story) int { return slices.Index(classes, s.Class) }
	for _, r := range results {
		if r.Verdict != checkers.Invalid {
			continue
		}
		t := &teller{h: h, notes: h.Notes(), result: r}
		name, _, _ := strings.Cut(r.Checker, ":")
		tell := tellers[r.Checker]
		if name == "linear" {
			tell = (*teller).register
		}
		var s *Story
		if tell != nil {
			s = tell(t)
		}
		if s == nil {
			s = t.plain(Violation)
		}
		s.Checker = r.Checker
		if worst == nil || rank(s) < rank(worst) {
			worst = s
		}
	}
	return worst
}

// teller is at work on one result.
type teller struct {
	h      *history.History
	notes  *history.Notes
	result checkers.Result
	facts  []Fact
}

// add notes a fact.
func (t *teller) add(at time.Duration, index int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "process ") { // names of nodes are written as they are
		text = capital(text)
	}
	t.facts = append(t.facts, Fact{At: at, Text: text, Index: index})
}

// most is how many facts a story has: what nobody reads explains nothing.
const most = 6

// story ends the telling. Of too many facts, those nearest to the violation stay, which is the last.
func (t *teller) story(c Class, headline string) *Story {
	slices.SortStableFunc(t.facts, func(a, b Fact) int { return cmp.Compare(a.At, b.At) })
	if len(t.facts) > most {
		t.facts = t.facts[len(t.facts)-most:]
	}
	return &Story{Class: c, Headline: headline, Facts: t.facts}
}

// plain is the story of a result of which no more is known than its sentence.
func (t *teller) plain(c Class) *Story {
	why := strings.TrimPrefix(t.result.Why, "the nodes' states have diverged: ") // as the class says
	headline := capital(string(c)) + ": " + strings.TrimSuffix(why, ".") + "."
	at, index := t.h.End(), max(0, t.h.Len()-1)
	for _, i := range t.result.Ops {
		if e := t.h.Event(i); i == t.result.Ops[0] || e.At > at {
			at, index = e.At, i
		}
	}
	from := at
	for _, i := range t.result.Ops {
		from = min(from, t.h.Event(i).At)
	}
	t.around(from, at, nil)
	seen, ok := map[Class]string{
		DivergedState: "The states were seen to differ at %s.", NoRecovery: "The cluster still did not serve at %s.",
	}[c]
	if !ok {
		seen = "The violation was seen at %s."
	}
	t.add(at, index, seen, seconds(at))
	return t.story(c, headline)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// before is how long before what matters a fault may have ended, and be told.
const before = time.Second

// around adds faults of a time: the last two that took something from one of some nodes, or else the last one of all.
func (t *teller) around(from, to time.Duration, nodes []string) {
	var ours, others []history.Fault
	for _, f := range t.notes.Faults {
		if f.InForce == history.Never || f.Began > to || f.Healed < from-before {
			continue
		}
		if touches(f.Took, nodes) {
			ours = append(ours, f)
		} else {
			others = append(others, f)
		}
	}
	told := ours[max(0, len(ours)-2):]
	if len(ours) == 0 {
		told = others[max(0, len(others)-1):]
	}
	for _, f := range told {
		t.add(f.InForce, f.Index, "%s", FaultSentence(f))
	}
}

// touches reports whether a fault took something from one of some nodes.
func touches(took history.Takes, nodes []string) bool {
	has := func(n string) bool { return slices.Contains(nodes, n) }
	if slices.ContainsFunc(slices.Concat(took.Down, took.Disk, took.Clock, took.Version), has) {
		return true
	}
	for _, l := range slices.Concat(took.Cut, took.Lossy, took.Slow, took.Garbled) {
		if has(l.From) || has(l.To) {
			return true
		}
	}
	return false
}

// elections adds who led when a time began, and who was elected in it.
func (t *teller) elections(from, to time.Duration) {
	var first *history.Said[history.Claim]
	var won []history.Said[history.Claim]
	type reign struct {
		node string
		term uint64
	}
	told := make(map[reign]bool) // a status may say what the log said
	for _, c := range t.notes.Claims {
		r := reign{c.Node, c.What.Term}
		if told[r] {
			continue
		}
		told[r] = true
		switch {
		case c.At <= from:
			first = &c
		case c.At <= to:
			won = append(won, c)
		}
	}
	if first != nil {
		t.add(first.At, first.Index, "%s led term %d from %s on.", first.Node, first.What.Term, seconds(first.At))
	}
	for _, c := range won[max(0, len(won)-2):] {
		t.add(c.At, c.Index, "%s won term %d at %s.", c.Node, c.What.Term, seconds(c.At))
	}
}

// ledIn returns who led when a time began, and who was elected in it.
func (t *teller) ledIn(from, to time.Duration) (nodes []string) {
	for _, c := range t.notes.Claims {
		switch {
		case c.At <= from:
			nodes = []string{c.Node}
		case c.At <= to:
			nodes = append(nodes, c.Node)
		}
	}
	return nodes
}

// leaders tells of a term with two leaders.
func (t *teller) leaders() *Story {
	type claim struct {
		history.Said[history.Claim]
	}
	var all []claim
	for _, c := range t.notes.Claims {
		if slices.Contains(t.result.Ops, c.Index) {
			all = append(all, claim{c})
		}
	}
	if len(all) < 2 || all[0].What.Term != all[1].What.Term {
		return t.plain(DoubleLeader)
	}
	one, two := all[0], all[1]
	t.around(one.At-before, two.At, []string{one.Node, two.Node})
	t.add(one.At, one.Index, "%s won term %d at %s.", one.Node, one.What.Term, seconds(one.At))
	t.add(two.At, two.Index, "%s won term %d at %s, too.", two.Node, two.What.Term, seconds(two.At))
	return t.story(
		DoubleLeader,
		fmt.Sprintf("Double leader: %s and %s both won term %d, at %s and %s.", one.Node, two.Node,
			one.What.Term, seconds(one.At), seconds(two.At)),
	)
}

// leadersAtOnce tells of two nodes that led at a time.
func (t *teller) leadersAtOnce() *Story {
	if len(t.result.Ops) != 3 {
		return nil
	}
	first, other, last := t.h.Event(t.result.Ops[0]), t.h.Event(t.result.Ops[1]), t.h.Event(t.result.Ops[2])
	t.around(first.At, other.At, []string{first.Node, other.Node})
	t.add(first.At, first.Index, "%s said at %s that it leads.", first.Node, seconds(first.At))
	t.add(other.At, other.Index, "%s said so at %s.", other.Node, seconds(other.At))
	t.add(last.At, last.Index, "%s still did at %s.", last.Node, seconds(last.At))
	// For how long the other one led, too, is not known.
	return t.story(LeadersAtOnce, fmt.Sprintf("Leaders at once: %s said at %s that it leads, while %s did from %s to %s.",
		other.Node, seconds(other.At), first.Node, seconds(first.At), seconds(last.At)))
}

// state tells of nodes that differ.
func (t *teller) state() *Story { return t.plain(DivergedState) }

// recovery tells of a cluster that did not serve again.
func (t *teller) recovery() *Story { return t.plain(NoRecovery) }

// seconds is a time of the run, and span a length of time, with as many digits as tell something.
func seconds(at time.Duration) string { return fmt.Sprintf("%.3f s", at.Seconds()) }

func span(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
