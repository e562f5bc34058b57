package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sunder-dev/sunder/checkers/register"
	"github.com/sunder-dev/sunder/harness/history"
)

// KindTimeline attaches the operations that cannot be explained: a [Timeline].
const KindTimeline = "timeline"

// Timeline is a small part of the history of one key that no order explains.
type Timeline struct {
	Key string       `json:"key"`
	Ops []TimelineOp `json:"ops"`
	// Whole says how many operations the key has in all.
	Whole int `json:"whole"`
	// Engine found it; Confirmed says that porcupine says the same of Ops.
	Engine    string `json:"engine,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	// ByVersion says that the values alone are linearizable: what the target told of its versions
	// contradicts them.
	ByVersion bool `json:"by_version,omitempty"`
	// Left counts operations that are left out for want of time to find a smaller part.
	Left int `json:"left,omitempty"`
}

// TimelineOp is one operation of a timeline.
type TimelineOp struct {
	Index   int           `json:"index"` // of the invocation
	Process int           `json:"process"`
	Node    string        `json:"node"`
	Text    string        `json:"text"` // "write 3", "read -> 4"
	Call    time.Duration `json:"call_ns"`
	Return  time.Duration `json:"return_ns"` // history.Never if it is in doubt
	// Culprit marks the operation with whose return it became impossible.
	Culprit bool `json:"culprit,omitempty"`
}

// maxTimeline bounds the operations of a timeline. Proofs are a dozen operations long, unless the time to
// find such a short one is lacking.
const maxTimeline = 100

// newTimeline draws a proof from the history of its key.
func newTimeline(h *history.History, k *keyed, d register.Decision, p register.Proof) Timeline {
	t := Timeline{Key: clip(k.name, maxText), Whole: len(k.ops), Engine: string(d.Engine), Confirmed: p.Confirmed, ByVersion: d.ByVersion}
	for _, o := range p.Ops {
		whole := h.Op(int(o.ID))
		text := describe(whole)
		switch {
		case whole.Call.F != "cas":
		case o.Action == register.Write:
			text += " (as a write)" // what it found is of no account
		case o.Action == register.Read && whole.Return.Kind == history.OK:
			text += " (as a read)"
		}
		if !d.ByValue && o.Version != 0 {
			text += fmt.Sprintf(" at version %d", o.Version)
		}
		t.Ops = append(t.Ops, TimelineOp{
			Index: whole.Call.Index, Process: whole.Call.Process, Node: whole.Call.Node,
			Text: clip(text, maxText), Call: whole.Call.At, Return: whole.Return.At, Culprit: o.ID == p.Last,
		})
	}
	slices.SortFunc(t.Ops, func(a, b TimelineOp) int { return cmp.Compare(a.Index, b.Index) })
	if len(t.Ops) > maxTimeline {
		at := slices.IndexFunc(t.Ops, func(o TimelineOp) bool { return o.Culprit })
		from := min(max(0, at-maxTimeline/2), len(t.Ops)-maxTimeline)
		t.Left = len(t.Ops) - maxTimeline
		t.Ops = t.Ops[from : from+maxTimeline]
	}
	return t
}

// sentence says what cannot be.
func (t Timeline) sentence() string {
	what := named(t.Key) + " is not linearizable"
	if t.ByVersion {
		what = named(t.Key) + " contradicts its versions (by its values alone it is linearizable)"
	}
	what += fmt.Sprintf(": no order of %s explains", count(len(t.Ops)+t.Left, "operation"))
	for _, o := range t.Ops {
		if o.Culprit {
			what += fmt.Sprintf(" %s (process %d at %s, %s to %s)", o.Text, o.Process, o.Node, seconds(o.Call), seconds(o.Return))
		}
	}
	return what + t.referee()
}

func (t Timeline) referee() string {
	if t.Confirmed {
		return ""
	}
	return " (found by engine " + t.Engine + ", and not confirmed by porcupine for want of time)"
}

// barsWidth is how many columns the bars of a text have.
const barsWidth = 48

// Text draws a timeline for a terminal or a bug report: one line an operation, with a bar of which only the
// order of the ends is true to scale.
func (t Timeline) Text() string {
	if len(t.Ops) == 0 {
		return fmt.Sprintf("%s: nothing is left of its %s\n", named(t.Key), count(t.Whole, "operation"))
	}
	var ends []time.Duration
	for _, o := range t.Ops {
		ends = append(ends, o.Call)
		if o.Return != history.Never {
			ends = append(ends, o.Return)
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	column := func(at time.Duration) int {
		i, _ := slices.BinarySearch(ends, at)
		return i * min(4, (barsWidth-2)/max(len(ends), 1))
	}
	width, words := column(ends[len(ends)-1])+1, 0
	for _, o := range t.Ops {
		words = max(words, utf8.RuneCountInString(o.Text))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d of its %s, which no order explains", named(t.Key), len(t.Ops), count(t.Whole, "operation"))
	if t.Engine != "" { // old results do not say
		fmt.Fprintf(&b, " (engine %s)", t.Engine)
	}
	b.WriteString("\n")
	for _, o := range t.Ops {
		mark, end, from := " ", seconds(o.Return), column(o.Call)
		if o.Culprit {
			mark = "!"
		}
		bar := strings.Repeat(" ", from) + "|"
		if o.Return == history.Never {
			end = "in doubt"
			bar += strings.Repeat("-", max(width-from-2, 0)) + ">"
		} else if to := column(o.Return); to > from {
			bar += strings.Repeat("-", to-from-1) + "|"
		}
		fmt.Fprintf(&b, "%s %-*s  %-*s  process %-4d %-4s %s .. %s\n", mark, width, bar, words, o.Text, o.Process, o.Node, seconds(o.Call), end)
	}
	if t.Left > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", count(t.Left, "operation"))
	}
	return b.String()
}
