// Package checkers judges histories. A checker is a pure function from a history to a result; it
// knows no cluster, so any history of any age can be judged again.
//
// There is one file a property and one line for it in [All].
package checkers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sunder-dev/sunder/checkers/register"
	"github.com/sunder-dev/sunder/harness/history"
)

// Verdict is what a checker, or all of them, say. The zero verdict is Unknown, which never passes.
type Verdict uint8

// The verdicts. Worst wins: Invalid over Unknown over Valid.
const (
	Unknown Verdict = iota
	Valid
	Invalid
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	default:
		return "unknown"
	}
}

// MarshalText implements [encoding.TextMarshaler].
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. What it does not know is an error.
func (v *Verdict) UnmarshalText(text []byte) error {
	for _, known := range []Verdict{Unknown, Valid, Invalid} {
		if known.String() == string(text) {
			*v = known
			return nil
		}
	}
	return fmt.Errorf("%q is no verdict", text)
}

// Worst returns the worst of the results' verdicts; of nothing, it is Unknown.
func Worst(results []Result) Verdict {
	worst := Unknown
	for i, r := range results {
		if i == 0 || r.Verdict == Invalid || (r.Verdict == Unknown && worst == Valid) {
			worst = r.Verdict
		}
		if worst == Invalid {
			break
		}
	}
	return worst
}

// Result is what one checker found.
type Result struct {
	Checker string  `json:"checker"`
	Verdict Verdict `json:"verdict"`
	// Why is one sentence that says what was found, or why nothing could be.
	Why string `json:"why"`
	// Ops are the indices of the events that the finding rests on.
	Ops    []int         `json:"ops,omitempty"`
	Attach []Attachment  `json:"attach,omitempty"`
	Took   time.Duration `json:"took_ns"`
}

// Attachment is evidence of a kind that a report knows how to draw.
type Attachment struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// KindText attaches words: a string.
const KindText = "text"

// attach makes an attachment of anything that marshals.
func attach(kind string, data any) []Attachment {
	b, err := json.Marshal(data)
	if err != nil {
		return nil // the verdict stands without its picture
	}
	return []Attachment{{kind, b}}
}

// Checker judges one property.
type Checker interface {
	Check(ctx context.Context, h *history.History) Result
}

// Options say how to check. A checker that would need more than it may use says Unknown.
type Options struct {
	Time   time.Duration
	Memory uint64          // bytes that a search may hold beside the history
	Engine register.Engine // how linear decides
	// Initial is what registers hold before anything is written, as JSON; empty is null.
	Initial json.RawMessage
	// Progress, if there is one, is told how far a checker is, by whatever goroutine.
	Progress func(checker string, done, of int)
}

// Defaults are enough for runs of some minutes.
func Defaults() Options {
	return Options{Time: 2 * time.Minute, Memory: 4 << 30, Engine: register.Auto}
}

// orDefaults sets what is left out.
func (o Options) orDefaults() Options {
	d := Defaults()
	return Options{
		Time: cmp.Or(o.Time, d.Time), Memory: cmp.Or(o.Memory, d.Memory), Engine: cmp.Or(o.Engine, d.Engine),
		Initial: o.Initial, Progress: o.Progress,
	}
}

func (o Options) progress(checker string, done, of int) {
	if o.Progress != nil {
		o.Progress(checker, done, of)
	}
}

// Entry is one checker of a registry.
type Entry struct {
	About string
	// Members is how many there must be for it to have anything to say; 0 if that does not matter.
	Members int
	// Models are what may be named after a colon, as in "linear:register"; nil if there is no choice.
	Models []string
	// Live says of which part of a history a violation is one of the whole, so that it can be found while a run is under
	// way.
	Live LivePart
	New  func(o Options, model string) Checker
}

// LivePart is a part of a history that grows.
type LivePart uint8

// The parts of which a violation is one of the whole.
const (
	// NotLive: there is none.
	NotLive LivePart = iota
	// LiveCalls: the calls on some keys, until some moment.
	LiveCalls
	// LiveNotes: what was observed of the nodes, until some moment.
	LiveNotes
	// LiveWhole: all that happened, until some moment.
	LiveWhole
)

// Registry are checkers by name.
type Registry map[string]Entry

// Default returns the checkers of sunder.
func Default() Registry {
	return Registry{
		"linear": {
			About:  "operations on each key are linearizable; linear:register passes over keys that have none of a register's",
			Models: []string{modelRegister},
			Live:   LiveCalls,
			New:    func(o Options, model string) Checker { return linear{o, model} },
		},
		"leader": {
			About:  "a term has at most one leader; leader:single: at most one node leads at a time, whatever the term",
			Models: []string{modelSingle},
			Live:   LiveNotes,
			New: func(_ Options, model string) Checker {
				if model == modelSingle {
					return single{}
				}
				return leader{}
			},
		},
		"state": {
			About: "nodes that applied the same log index are in the same state", Members: 2,
			Live: LiveNotes,
			New:  func(Options, string) Checker { return state{} },
		},
		"mutex": {
			About: "no two clients hold a lock, or lead, at once, as they and the resource see it",
			Live:  LiveWhole,
			New:   func(Options, string) Checker { return mutex{} },
		},
		"fencing": {
			About: "tokens grow with each holder of a lock, and the guarded resource never accepts an older one after a newer",
			Live:  LiveWhole,
			New:   func(Options, string) Checker { return fencing{} },
		},
		"lease": {
			About: "a key with a lease is there until its time, and gone in bounded time after it",
			Live:  LiveWhole,
			New:   func(Options, string) Checker { return lease{} },
		},
		"recovery": {
			About: "a cluster that is whole again serves within the recover timeout; how well it served before",
			New:   func(Options, string) Checker { return recovery{} },
		},
		"progress": {
			About: "there was enough load, every fault took effect, and all was read at the end, so that a pass means something",
			New:   func(Options, string) Checker { return progress{} },
		},
		"stats": {
			About: "counts and latencies; every operation succeeded, under faults too",
			New:   func(Options, string) Checker { return stats{} },
		},
	}
}

// Names returns the names of all checkers, sorted.
func (all Registry) Names() []string { return slices.Sorted(maps.Keys(all)) }

// Find returns a checker by its name, with its model after a colon if one is chosen.
func (all Registry) Find(name string) (e Entry, model string, err error) {
	name, model, chosen := strings.Cut(name, ":")
	e, ok := all[name]
	switch {
	case !ok:
		return e, "", fmt.Errorf("unknown checker %q; known are %s", name, strings.Join(all.Names(), ", "))
	case chosen && !slices.Contains(e.Models, model):
		return e, "", fmt.Errorf("checker %s has no model %q; known are %s", name, model, strings.Join(e.Models, ", "))
	}
	return e, model, nil
}

// Always are the checkers that judge every run.
func Always() []string { return []string{"recovery", "progress", "stats"} }

// What Run adds to the results of the checkers that are asked for.
const (
	// ofHistory says that something in the history cannot be read.
	ofHistory = "history"
	// ofBug says whether a planted bug was found.
	ofBug = "planted"
	// ofLive says that what was found while the run was under way is not found in the whole.
	ofLive = "live"
)

// ForHistory returns the names of the checkers that a history asks for. A plain history of client operations
// asks for linear; one that has notes of a run and does not say what it is of, for all that can find a violation.
func ForHistory(h *history.History) []string {
	notes := h.Notes()
	switch {
	case notes.Test != nil && len(notes.Test.Checkers) > 0:
		return notes.Test.Checkers
	case len(notes.Problems) > 0:
		return []string{"linear", "leader", "state"}
	default:
		return []string{"linear"}
	}
}

// Run judges a history by the named checkers, in order. Options that are left out are the [Defaults]. What of the
// history cannot be read, and a planted bug that was not found, are results of their own.
func (all Registry) Run(ctx context.Context, h *history.History, names []string, o Options) ([]Result, error) {
	o = o.orDefaults()
	var results []Result
	if err := h.Notes().Err(); err != nil {
		results = append(
			results,
			Result{Checker: ofHistory, Verdict: Unknown, Why: fmt.Sprintf("it cannot be read as a whole: %v", err)},
		)
	}
	for _, name := range names {
		entry, model, err := all.Find(name)
		if err != nil {
			return nil, err
		}
		results = append(results, guard(ctx, name, entry.New(o, model), h))
	}
	if r, ok := unconfirmed(h.Notes().Findings, results); ok {
		results = append(results, r)
	}
	if t, ok := h.Test(); ok && t.Bug != "" {
		results = append(results, planted(t, Worst(results)))
	}
	return results, nil
}

// unconfirmed says that a violation which was found while the run was under way is none of the whole history.
func unconfirmed(findings []history.Finding, results []Result) (Result, bool) {
	for _, f := range findings {
		for _, r := range results {
			if r.Checker == f.Checker && r.Verdict == Valid {
				return Result{Checker: ofLive, Verdict: Unknown, Why: fmt.Sprintf("while the run was under way, %s found a "+
					"violation (%s), and of the whole history it finds none: that is a mistake of sunder; please report it with "+
					"this history", f.Checker, quoted(f.Why))}, true
			}
		}
	}
	return Result{}, false
}

// Missed reports whether a planted bug was not found, and nothing else stands against the run.
func Missed(results []Result) bool {
	missed := false
	for _, r := range results {
		switch {
		case r.Checker == ofBug && r.Verdict == Unknown:
			missed = true
		case r.Verdict != Valid:
			return false
		}
	}
	return missed
}

// planted says whether a planted bug was found. A run that does not find it proves nothing of what it was to show.
func planted(t history.Test, worst Verdict) Result {
	if worst == Invalid {
		return Result{Checker: ofBug, Verdict: Valid, Why: fmt.Sprintf("the planted bug %s was found", quoted(t.Bug))}
	}
	why := fmt.Sprintf("the planted bug %s was not found", quoted(t.Bug))
	if t.Hunt != "" {
		why += ": this run is made to find it: " + t.Hunt
	}
	return Result{Checker: ofBug, Verdict: Unknown, Why: why}
}

// guard runs one checker; a checker that crashes has found nothing out.
func guard(ctx context.Context, name string, c Checker, h *history.History) (r Result) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			r = Result{
				Verdict: Unknown,
				Why:     fmt.Sprintf("the checker crashed: %v", p),
				Attach:  attach(KindText, string(debug.Stack())),
			}
		}
		r.Checker, r.Took = name, time.Since(start)
	}()
	if err := ctx.Err(); err != nil {
		return Result{Verdict: Unknown, Why: fmt.Sprintf("not checked: %v", err)}
	}
	return c.Check(ctx, h)
}

// maxText bounds what is said of one value: a target may answer anything.
const maxText = 200

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// quoted is a foreign string for a sentence: clipped, and if it has anything in it that a terminal or a CI system might
// take for more than a text, or that hides where it ends, in quotes and with escapes.
func quoted(s string) string {
	s = clip(s, maxText)
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) ||
		strings.Contains(s, "::") || strings.TrimSpace(s) != s {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// seconds writes a time of the history for people.
func seconds(t time.Duration) string {
	if t == history.Never {
		return "never"
	}
	return fmt.Sprintf("%.3f s", t.Seconds())
}

// Decode reads what a checker attached.
func Decode[T any](data json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}
