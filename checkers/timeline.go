package checkers

import (
	"cmp"
	"context"
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

// Timeline is a small part of the history of one key, which shows what is wrong with it.
type Timeline struct {
	Key string       `json:"key"`
	Ops []TimelineOp `json:"ops"`
	// About is what the operations show; empty is that no order explains them.
	About string `json:"about,omitempty"`
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
	// Legal are the values that the culprit might have found instead, given all that is known of the
	// key; MoreLegal says that there may be others.
	Legal     []string `json:"legal,omitempty"`
	MoreLegal bool     `json:"more_legal,omitempty"`
	// Origin says what is odd about the value that the culprit found, if anything is: that nobody wrote it, or that a
	// write that was recorded as failed did.
	Origin string `json:"origin,omitempty"`
	// Near are other operations on the key, those that were called nearest to the culprit.
	Near []TimelineOp `json:"near,omitempty"`
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
	// Order is the place of the operation, from 1, in an order that explains all but the culprit; 0 if it has
	// none there.
	Order int `json:"order,omitempty"`
}

// maxTimeline bounds the operations of a timeline. Proofs are a dozen operations long, unless the time to
// find such a short one is lacking.
const maxTimeline = 100

// maxNear bounds the neighbours of a culprit that a timeline has.
const maxNear = 40

// newTimeline draws a proof from the history of its key.
func newTimeline(ctx context.Context, h *history.History, k *keyed, d register.Decision, p register.Proof) Timeline {
	t := Timeline{Key: clip(k.name, maxText), Whole: len(k.ops), Engine: string(d.Engine), ByVersion: d.ByVersion}
	for _, o := range p.Ops {
		whole := h.Op(int(o.ID))
		text := quoted(describe(whole))
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
		t.Ops = append(t.Ops, newTimelineOp(whole, text))
		t.Ops[len(t.Ops)-1].Culprit = o.ID == p.Last
	}
	slices.SortFunc(t.Ops, byIndex)
	t.explain(ctx, k, d, p)
	t.Origin = k.origin(h, p)
	t.Near = k.near(h, p, t.Ops)
	if len(t.Ops) > maxTimeline {
		at := slices.IndexFunc(t.Ops, func(o TimelineOp) bool { return o.Culprit })
		from := min(max(0, at-maxTimeline/2), len(t.Ops)-maxTimeline)
		t.Left = len(t.Ops) - maxTimeline
		t.Ops = t.Ops[from : from+maxTimeline]
	}
	return t
}

func newTimelineOp(o history.Op, text string) TimelineOp {
	return TimelineOp{
		Index:   o.Call.Index,
		Process: o.Call.Process,
		Node:    o.Call.Node,
		Text:    clip(text, maxText),
		Call:    o.Call.At,
		Return:  o.Return.At,
	}
}

func byIndex(a, b TimelineOp) int { return cmp.Compare(a.Index, b.Index) }

// maxAlternatives bounds the time to find out what would have been legal: it is a comfort, and no evidence.
const maxAlternatives = 2 * time.Second

// explain adds an order of all but the culprit, and what the culprit might have found.
func (t *Timeline) explain(ctx context.Context, k *keyed, d register.Decision, p register.Proof) {
	if len(p.Ops) > maxTimeline {
		return
	}
	ctx, stop := context.WithTimeout(ctx, maxAlternatives)
	defer stop()
	for place, id := range p.Order(ctx) {
		i := slices.IndexFunc(t.Ops, func(o TimelineOp) bool { return o.Index == int(id) })
		t.Ops[i].Order = place + 1
	}
	legal, all := p.Alternatives(ctx, k.ops, d, register.Limits{Configs: firstConfigs})
	for _, v := range legal {
		t.Legal = append(t.Legal, clip(k.text(v), maxText))
	}
	t.MoreLegal = len(legal) > 0 && !all
}

// origin says what is odd about the value that the culprit of a proof found. Often it is not the store that is wrong.
func (k *keyed) origin(h *history.History, p register.Proof) string {
	i := slices.IndexFunc(p.Ops, func(o register.Op) bool { return o.ID == p.Last })
	if i < 0 || p.Ops[i].Action != register.Read && p.Ops[i].Action != register.Swap {
		return ""
	}
	found := p.Ops[i].Value
	if p.Ops[i].Action == register.Swap {
		found = p.Ops[i].Old
	}
	if found == register.Absent {
		return ""
	}
	for _, o := range k.ops {
		if o.Value == found && (o.Action == register.Write || o.Action == register.Swap) {
			return ""
		}
	}
	value := quoted(k.text(found))
	for c := range h.Calls() {
		if c.Key() != k.name || c.Kind() != history.Fail || c.F() != "write" && c.F() != "cas" {
			continue
		}
		left := c.Asked()
		if c.F() == "cas" {
			_, left, _ = left.Pair()
		}
		if k.id(left) == found {
			return fmt.Sprintf(
				"%s is the value of a %s that was recorded as failed (event %d): it happened all the same, or its client "+
					"must record info",
				value,
				c.F(),
				c.Index(),
			)
		}
	}
	return fmt.Sprintf("Nobody wrote %s: if the register may hold it at first, say so (--initial %s)",
		value, shellQuoted(k.text(found)))
}

// shellQuoted is a word as a shell takes it.
func shellQuoted(word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune("0123456789.-", r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(quoted(word), "'", `'\''`) + "'"
}

// near returns the operations that were called nearest to the culprit of a proof, but for those shown.
func (k *keyed) near(h *history.History, p register.Proof, shown []TimelineOp) (list []TimelineOp) {
	known := make(map[int]bool, len(shown))
	for _, o := range shown {
		known[o.Index] = true
	}
	culprit, _ := slices.BinarySearchFunc(
		k.ops,
		p.Last,
		func(o register.Op, id uint32) int { return cmp.Compare(o.ID, id) },
	)
	for low, high := culprit-1, culprit+1; len(list) < maxNear && (low >= 0 || high < len(k.ops)); low, high = low-1, high+1 {
		for _, i := range []int{low, high} {
			if i < 0 || i >= len(k.ops) || len(list) == maxNear || known[int(k.ops[i].ID)] {
				continue
			}
			whole := h.Op(int(k.ops[i].ID))
			list = append(list, newTimelineOp(whole, describe(whole)))
		}
	}
	slices.SortFunc(list, byIndex)
	return list
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
			at := ""
			if o.Node != "" { // another tool may not say
				at = " at " + quoted(o.Node)
			}
			what += fmt.Sprintf(" %s (process %d%s, %s to %s)", o.Text, o.Process, at, seconds(o.Call), seconds(o.Return))
		}
	}
	return what + t.referee()
}

func (t Timeline) referee() string {
	if t.Confirmed {
		return ""
	}
	if n := len(t.Ops) + t.Left; n > maxConfirmed {
		return fmt.Sprintf(
			" (found by engine %s, and not confirmed by porcupine, which is not asked about more than %d operations)",
			t.Engine,
			maxConfirmed,
		)
	}
	return " (found by engine " + t.Engine + ", and not confirmed by porcupine, for want of time)"
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
	fmt.Fprintf(&b, "%s: %d of its %s, %s", named(t.Key), len(t.Ops), count(t.Whole, "operation"),
		cmp.Or(t.About, "which no order explains"))
	if t.Engine != "" { // old results do not say
		fmt.Fprintf(&b, " (engine %s)", t.Engine)
	}
	b.WriteString("\n")
	digits := len(fmt.Sprint(len(t.Ops)))
	for _, o := range t.Ops {
		mark, end, from := "", seconds(o.Return), column(o.Call)
		switch {
		case o.Culprit:
			mark = "!"
		case o.Order > 0:
			mark = fmt.Sprint(o.Order)
		}
		bar := strings.Repeat(" ", from) + "|"
		if o.Return == history.Never {
			end = "in doubt"
			bar += strings.Repeat("-", max(width-from-2, 0)) + ">"
		} else if to := column(o.Return); to > from {
			bar += strings.Repeat("-", to-from-1) + "|"
		}
		fmt.Fprintf(
			&b,
			"%*s %-*s  %-*s  process %-4d %-4s %s .. %s\n",
			digits,
			mark,
			width,
			bar,
			words,
			o.Text,
			o.Process,
			o.Node,
			seconds(o.Call),
			end,
		)
	}
	if t.Left > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", count(t.Left, "operation"))
	}
	for _, hint := range t.Hints() {
		fmt.Fprintln(&b, hint)
	}
	return b.String()
}

// Hints say what the numbers of a timeline are, and what would have been legal instead, as far as that is known.
func (t Timeline) Hints() (hints []string) {
	if slices.ContainsFunc(t.Ops, func(o TimelineOp) bool { return o.Order > 0 }) {
		hints = append(hints, "The numbers are an order that explains the others.")
	}
	if t.Origin != "" {
		hints = append(hints, t.Origin+".")
	}
	for _, o := range t.Ops {
		if !o.Culprit || len(t.Legal) == 0 {
			continue
		}
		hint := fmt.Sprintf("In place of %s it would have been legal to find %s", o.Text, strings.Join(t.Legal, " or "))
		if t.MoreLegal {
			hint += ", and perhaps other values"
		}
		hints = append(hints, hint+".")
	}
	return hints
}
