package story

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// register tells of a key that is not linearizable.
func (t *teller) register() *Story {
	culprit, ok := t.culprit()
	if !ok {
		return t.plain(NotLinearizable)
	}
	ops := t.onKey(culprit.Call.Key)
	found := observed(culprit)
	writer, known := writerOf(ops, found)
	switch {
	case culprit.Call.F == "cas" && culprit.Return.Kind == history.OK:
		if other, ok := twin(ops, culprit); ok {
			return t.lostUpdate(culprit, other, found)
		}
	case found == "":
		return t.notLinearizable(culprit)
	case found != null && !known:
		return t.phantom(culprit, ops, found)
	}
	newer, shown, ok := replaced(ops, writer, culprit)
	if !ok {
		return t.notLinearizable(culprit)
	}
	return t.stale(culprit, newer, shown, ops, found)
}

const null = "null"

// culprit returns the operation that no order explains.
func (t *teller) culprit() (history.Op, bool) {
	for _, a := range t.result.Attach {
		if a.Kind != checkers.KindTimeline {
			continue
		}
		line, err := checkers.Decode[checkers.Timeline](a.Data)
		if err != nil {
			continue
		}
		for _, o := range line.Ops {
			if o.Culprit && o.Index >= 0 && o.Index < t.h.Len() && t.h.Event(o.Index).Kind == history.Invoke {
				op := t.h.Op(o.Index)
				return op, op.Return.Kind != history.Info && op.Return.At != history.Never
			}
		}
	}
	return history.Op{}, false
}

// onKey returns the operations on a key, by their calls.
func (t *teller) onKey(key string) (ops []history.Op) {
	for c := range t.h.Calls() {
		if c.Key() == key {
			ops = append(ops, t.h.Op(c.Index()))
		}
	}
	return ops
}

// observed is the value that an operation found; empty if it tells of none.
func observed(o history.Op) string {
	switch {
	case o.Call.F == "read" && o.Return.Kind == history.OK:
		if len(o.Return.Value) == 0 {
			return null
		}
		return string(o.Return.Value)
	case o.Call.F == "cas" && o.Return.Kind == history.OK:
		old, _, _ := history.Pair(o.Call.Value)
		return string(old)
	case o.Call.F == "cas" && o.Return.Err == history.Mismatch && len(o.Return.Value) > 0:
		return string(o.Return.Value)
	}
	return ""
}

// left is the value that an operation leaves, if it happened; empty if it leaves none.
func left(o history.Op) string {
	switch o.Call.F {
	case "write":
		return string(o.Call.Value)
	case "cas":
		_, value, _ := history.Pair(o.Call.Value)
		return string(value)
	case "delete":
		return null
	}
	return ""
}

// writerOf returns the operation that left a value, and may have happened.
func writerOf(ops []history.Op, value string) (history.Op, bool) {
	for _, o := range ops {
		if o.Return.Kind != history.Fail && left(o) == value {
			return o, true
		}
	}
	return history.Op{Return: history.Event{At: -1}}, false // before everything
}

// twin returns another compare-and-set of the same value that succeeded.
func twin(ops []history.Op, of history.Op) (history.Op, bool) {
	for _, o := range ops {
		if o.Call.F == "cas" && o.Return.Kind == history.OK && o.Call.Index != of.Call.Index && observed(o) == observed(of) {
			return o, true
		}
	}
	return history.Op{}, false
}

// replaced returns the first write that had happened before an operation was called, and was called after what that found
// had been written for sure; and what shows that it had: its own answer, or that of who had read its value.
func replaced(ops []history.Op, writer, culprit history.Op) (first, shown history.Op, ok bool) {
	there := writer.Return.At
	for _, o := range ops { // a write in doubt had happened once it was read
		if o.Return.Kind != history.Info && observed(o) == observed(culprit) && o.Call.Index != culprit.Call.Index {
			there = min(there, o.Return.At)
		}
	}
	newer := make(map[string]history.Op) // by value
	for _, o := range ops {
		if v := left(o); v != "" && v != observed(culprit) && o.Return.Kind != history.Fail && o.Call.At > there {
			newer[v] = o
		}
	}
	for _, o := range ops {
		w, written := newer[left(o)]
		if !written || o.Return.Kind != history.OK {
			w, written = newer[observed(o)]
		}
		if written && o.Return.Kind != history.Info && o.Return.At < culprit.Call.At &&
			(!ok || o.Return.At < shown.Return.At) {
			first, shown, ok = w, o, true
		}
	}
	return first, shown, ok
}

// stale tells of a value that was read after another one had replaced it: the other one is lost, if it was never read
// again and the old one was.
func (t *teller) stale(culprit, newer, shown history.Op, ops []history.Op, found string) *Story {
	t.context(newer, culprit)
	value := value(left(newer))
	acknowledged := shown.Call.Index == newer.Call.Index
	if acknowledged {
		t.add(shown.Return.At, shown.Return.Index, "%s acknowledged the %s of %s at %s.", at(newer), kind(newer), value,
			seconds(shown.Return.At))
	} else {
		t.add(newer.Call.At, newer.Call.Index, "%s was asked for the %s of %s at %s.", at(newer), kind(newer), value,
			seconds(newer.Call.At))
		t.add(shown.Return.At, shown.Return.Index, "%s returned %s at %s.", at(shown), value, seconds(shown.Return.At))
	}
	again, old := false, false
	for _, o := range ops {
		if o.Call.At > culprit.Return.At && o.Return.Kind != history.Info {
			again = again || observed(o) == left(newer)
			old = old || observed(o) == found
		}
	}
	if old && !again && acknowledged {
		t.add(culprit.Return.At, culprit.Return.Index, "%s returned %s at %s, and nobody read %s after that.", at(culprit),
			holding(found), seconds(culprit.Return.At), value)
		return t.story(LostWrite, fmt.Sprintf("Lost write: %s acknowledged %s at %s, and it is gone: %s returned %s at %s.",
			at(newer), value, seconds(newer.Return.At), at(culprit), holding(found), seconds(culprit.Return.At)))
	}
	late := culprit.Call.At - shown.Return.At
	t.add(culprit.Return.At, culprit.Return.Index, "%s returned %s at %s, %s after it had been replaced.", at(culprit),
		holding(found), seconds(culprit.Return.At), span(late))
	return t.story(StaleRead, fmt.Sprintf("Stale read: %s returned %s at %s, but %s had replaced it by %s.", at(culprit),
		holding(found), seconds(culprit.Return.At), value, seconds(shown.Return.At)))
}

// lostUpdate tells of two compare-and-sets that both found a value which is there once.
func (t *teller) lostUpdate(a, b history.Op, found string) *Story {
	if b.Call.At < a.Call.At {
		a, b = b, a
	}
	t.context(a, b)
	for _, o := range []history.Op{a, b} {
		t.add(o.Return.At, o.Return.Index, "%s acknowledged that it set %s in place of %s at %s.", at(o), value(left(o)),
			value(found), seconds(o.Return.At))
	}
	return t.story(
		LostUpdate,
		fmt.Sprintf("Lost update: %s was replaced twice, by %s (%s, %s) and by %s (%s, %s).", value(found),
			value(left(a)), at(a), seconds(a.Return.At), value(left(b)), at(b), seconds(b.Return.At)),
	)
}

// phantom tells of a value that nobody can have written.
func (t *teller) phantom(culprit history.Op, ops []history.Op, found string) *Story {
	for _, o := range ops {
		if o.Return.Kind == history.Fail && left(o) == found {
			t.context(o, culprit)
			t.add(
				o.Return.At,
				o.Return.Index,
				"%s refused the %s of %s at %s.",
				at(o),
				kind(o),
				value(found),
				seconds(o.Return.At),
			)
			t.add(culprit.Return.At, culprit.Return.Index, "%s returned %s at %s.", at(culprit), value(found),
				seconds(culprit.Return.At))
			return t.story(DirtyRead, fmt.Sprintf("Dirty read: %s returned %s at %s, whose %s had failed at %s.", at(culprit),
				value(found), seconds(culprit.Return.At), kind(o), seconds(o.Return.At)))
		}
	}
	t.context(culprit, culprit)
	t.add(culprit.Return.At, culprit.Return.Index, "%s returned %s at %s.", at(culprit), value(found),
		seconds(culprit.Return.At))
	return t.story(Phantom, fmt.Sprintf("Phantom: %s returned %s at %s, which nobody wrote.", at(culprit), value(found),
		seconds(culprit.Return.At)))
}

// notLinearizable tells of an operation that contradicts others together.
func (t *teller) notLinearizable(culprit history.Op) *Story {
	t.context(culprit, culprit)
	t.add(culprit.Return.At, culprit.Return.Index, "%s answered the %s at %s.", at(culprit), kind(culprit),
		seconds(culprit.Return.At))
	what := kind(culprit) + " at " + at(culprit)
	if v := observed(culprit); v != "" {
		what += " that found " + holding(v)
	}
	return t.story(NotLinearizable, fmt.Sprintf("Not linearizable: no order of the calls on key %s explains the %s (%s).",
		quoted(culprit.Call.Key), what, seconds(culprit.Return.At)))
}

// context adds who led, who was elected, and what faults hit whom, from one operation to another.
func (t *teller) context(from, to history.Op) {
	began, ended := min(from.Call.At, from.Return.At-before), to.Return.At
	t.around(from.Call.At, ended, append(t.ledIn(began, ended), from.Call.Node, to.Call.Node))
	t.elections(began, ended)
}

// at is the node that an operation was called at.
func at(o history.Op) string {
	if o.Call.Node == "" {
		return fmt.Sprintf("process %d", o.Call.Process)
	}
	return quoted(o.Call.Node)
}

// kind is what an operation is called in a sentence.
func kind(o history.Op) string {
	switch o.Call.F {
	case "cas":
		return "compare-and-set"
	case "keepalive":
		return "keep-alive"
	}
	return quoted(o.Call.F)
}

// holding is a value as something that was found.
func holding(v string) string {
	if v == null {
		return "nothing"
	}
	return value(v)
}

// mostText bounds what a sentence takes of what a target or another tool says.
const mostText = 40

// value is a value of the history: a number as it is.
func value(v string) string {
	var text string
	if json.Unmarshal([]byte(v), &text) == nil {
		return "\"" + strings.Trim(quoted(text), "\"") + "\""
	}
	return quoted(v)
}

// quoted is a word of the history, which may be anything.
func quoted(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u202e' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if runes := []rune(clean); len(runes) > mostText {
		clean = string(runes[:mostText]) + "…"
	}
	return clean
}
