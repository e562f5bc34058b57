package checkers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// lease checks keys that are set under leases. A lease runs out so long after it was granted, or kept alive last; each
// that says so, or the answer to it, gives a time. The key
//
//   - is there until then, unless its lease was revoked: it is not gone before the call of a grant or keep-alive that
//     succeeded, and the time that its answer gives;
//   - does not come back: what was gone is not read, and is not kept alive;
//   - is gone once its lease was revoked, and, in a cluster that is whole and serves, soon after it has run out
//     (see [history.LeaseOver]).
//
// Times are those of the clients, who call before a server counts and hear after it, all on one clock. What a target
// promises of its reads it must keep: a stale read can show a key that is gone.
type lease struct{}

// Check implements [Checker].
func (lease) Check(_ context.Context, h *history.History) Result {
	all, err := leasesOf(h)
	if odd := (thinAir{}); errors.As(err, &odd) {
		return odd.invalid()
	}
	if err != nil {
		return Result{Verdict: Unknown, Why: err.Error()}
	}
	final, served := h.Notes().Phase(history.PhaseFinal)
	ended, kept := 0, 0
	for _, l := range all {
		find := l.broken()
		if find == nil && served {
			find = l.overdue(final.From)
		}
		if find != nil {
			return l.invalid(find)
		}
		if l.ranOut() {
			ended++
		}
		if l.outlived() {
			kept++
		}
	}
	switch {
	case ended == 0:
		return Result{Verdict: Unknown, Why: "no lease was seen to run out, so that nothing is known of when they do: " +
			"use a longer run"}
	case kept == 0:
		return Result{Verdict: Unknown, Why: "no key was read later than its lease would have run out if nobody had kept " +
			"it alive: use a longer run, or more clients (--clients)"}
	}
	return Result{Verdict: Valid, Why: fmt.Sprintf("%s: %d ran out unrevoked, and none before its time; %d were kept "+
		"alive beyond their first; none came back", count(len(all), "lease"), ended, kept)}
}

// granted is a lease, and what clients did to its key, in the order of their calls.
type granted struct {
	key   string
	value uint64
	grant history.Op
	ttl   time.Duration // the first one
	// extends are the grant and all keep-alives that succeeded; the times that their answers gave are beside them.
	extends []extension
	revokes []history.Op // that may have happened
	// there is from when on the value was there: it was set by then, or read.
	there time.Duration
	// last is the read that found the lease's value and was called last, and once whether there was one.
	last history.Op
	once bool
	// gone are the reads that found nothing, or another one's value, and were called after it was there: all that began
	// before the lease could be over and the first of them had ended.
	gone []history.Op
	// doubt says that nobody knows whether, and when, the lease was granted or kept alive once more.
	doubt bool
}

// extension is a call after which a lease has so much time again.
type extension struct {
	history.Op
	ttl time.Duration
}

// until is the earliest time at which the lease can run out after it.
func (e extension) until() time.Duration { return e.Call.At + e.ttl }

// leasesOf reads the leases of a history, by when they were asked for.
func leasesOf(h *history.History) ([]*granted, error) {
	byValue := make(map[uint64]*granted)
	var all []*granted
	for op := range h.Ops() {
		if op.Call.F != "grant" && op.Call.F != "keepalive" && op.Call.F != "revoke" {
			continue
		}
		value, err := strconv.ParseUint(string(op.Call.Value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("event %d: %s of what is no number", op.Call.Index, op.Call.F)
		}
		l := byValue[value]
		switch {
		case op.Call.F == "grant" && l != nil:
			return nil, fmt.Errorf("event %d: the lease of %d is asked for twice", op.Call.Index, value)
		case op.Call.F == "grant":
			l = &granted{key: op.Call.Key, value: value, grant: op, there: history.Never}
			byValue[value] = l
			all = append(all, l)
		case l == nil || l.key != op.Call.Key:
			return nil, fmt.Errorf("event %d: nobody has asked for a lease of %d under %s", op.Call.Index, value,
				quoted(op.Call.Key))
		}
		switch {
		case op.Return.Kind == history.Fail:
		case op.Call.F == "revoke":
			l.revokes = append(l.revokes, op)
		case op.Return.Kind == history.Info:
			l.doubt = true
		case op.Return.Kind == history.OK:
			said, err := history.Strictly[struct {
				Lease uint64 `json:"lease"`
				TTL   int64  `json:"ttl_ms"`
			}](op.Return.Value, "lease", "ttl_ms")
			if err == nil && (said.Lease != value || said.TTL < 0 || said.TTL > int64(history.Never/time.Millisecond)/2) {
				err = fmt.Errorf("it is of the lease of %d, and gives it %d ms", said.Lease, said.TTL)
			}
			if err != nil {
				return nil, fmt.Errorf("event %d: the answer to %s: %w", op.Return.Index, op.Call.F, err)
			}
			e := extension{op, time.Duration(said.TTL) * time.Millisecond}
			if op.Call.F == "grant" {
				l.ttl = e.ttl
			}
			l.extends = append(l.extends, e)
			l.there = min(l.there, op.Return.At)
		}
	}
	return all, look(h, all, byValue)
}

// look tells leases of reads.
func look(h *history.History, all []*granted, byValue map[uint64]*granted) error {
	open := make(map[string][]*granted) // by key: those that were there, and of which more is to be known
	for _, l := range all {
		if l.there != history.Never {
			open[l.key] = append(open[l.key], l)
		}
	}
	for op := range h.Ops() {
		if op.Call.F != "read" || op.Return.Kind != history.OK {
			continue
		}
		value, err := strconv.ParseUint(string(op.Return.Value), 10, 64)
		if err != nil && string(op.Return.Value) != "null" {
			return thinAir{op}
		}
		found := byValue[value]
		if err == nil && (found == nil || found.key != op.Call.Key || found.grant.Call.At > op.Return.At) {
			return thinAir{op}
		}
		if err == nil {
			if found.there == history.Never {
				open[found.key] = append(open[found.key], found)
			}
			found.there = min(found.there, op.Return.At)
			found.last, found.once = op, true // they come by their calls
		}
		open[op.Call.Key] = slices.DeleteFunc(open[op.Call.Key], func(l *granted) bool {
			if err == nil && l == found || op.Call.At <= l.there {
				return false
			}
			if len(l.gone) > 0 && op.Call.At > max(l.gone[0].Return.At, l.latest()) {
				return true
			}
			l.gone = append(l.gone, op)
			return false
		})
	}
	for _, l := range all {
		slices.SortFunc(l.gone, func(a, b history.Op) int { return cmp.Compare(a.Return.Index, b.Return.Index) })
	}
	return nil
}

// latest is the last time by which the lease may not be over.
func (l *granted) latest() (at time.Duration) {
	for _, e := range l.extends {
		at = max(at, e.until())
	}
	return at
}

// revoked returns the first call by which the lease may have been revoked before a time.
func (l *granted) revoked(before time.Duration) (history.Op, bool) {
	for _, op := range l.revokes {
		if op.Call.At < before {
			return op, true
		}
	}
	return history.Op{}, false
}

// finding is what is wrong with a lease: a sentence, and the calls that show it, the impossible one last.
type finding struct {
	why string
	ops []history.Op
}

// broken looks for what cannot be, whatever state the cluster is in.
func (l *granted) broken() *finding {
	if l.grant.Return.Kind == history.Fail && l.once {
		return &finding{fmt.Sprintf("was set although that was refused at %s: its value was read at %s",
			seconds(l.grant.Return.At), seconds(l.last.Return.At)), []history.Op{l.grant, l.last}}
	}
	for _, op := range l.gone { // by their ends: the first says most
		if _, ok := l.revoked(op.Return.At); ok {
			break
		}
		for _, e := range slices.Backward(l.extends) {
			if e.Call.At < op.Return.At && e.until() > op.Return.At {
				return &finding{fmt.Sprintf("was gone before its lease had run out: %s at %s gave it %s, and at %s it was "+
					"gone, %s too early", e.Call.F, seconds(e.Call.At), seconds(e.ttl), seconds(op.Return.At),
					seconds(e.until()-op.Return.At)), []history.Op{e.Op, op}}
			}
		}
	}
	if len(l.gone) > 0 {
		first := l.gone[0]
		if l.once && l.last.Call.At > first.Return.At {
			return &finding{fmt.Sprintf("came back: at %s it was gone, and at %s its value was read again",
				seconds(first.Return.At), seconds(l.last.Return.At)), []history.Op{first, l.last}}
		}
		for _, e := range l.extends {
			if e.Call.At > first.Return.At {
				return &finding{fmt.Sprintf("was kept alive after it was gone: at %s it was gone, and the keep-alive of %s "+
					"succeeded", seconds(first.Return.At), seconds(e.Call.At)), []history.Op{first, e.Op}}
			}
		}
	}
	for _, r := range l.revokes {
		if r.Return.Kind != history.OK {
			continue
		}
		if l.once && l.last.Call.At > r.Return.At {
			return &finding{fmt.Sprintf("outlived its lease, which was revoked at %s: its value was read at %s",
				seconds(r.Return.At), seconds(l.last.Return.At)), []history.Op{r, l.last}}
		}
	}
	return nil
}

// overdue looks for a read that found the key too long after its lease had run out, and after the cluster served and
// clients called nothing more. What is in doubt may happen at any time, and gives a lease its time again.
func (l *granted) overdue(served time.Duration) *finding {
	if l.doubt || len(l.extends) == 0 {
		return nil
	}
	ttl, over := l.ttl, served
	shown := []history.Op{l.grant}
	for _, e := range l.extends {
		ttl = max(ttl, e.ttl)
		if over = max(over, e.Return.At); e.Call.Index > shown[0].Call.Index {
			shown[0] = e.Op
		}
	}
	over += history.LeaseOver(ttl)
	if op := l.last; l.once && op.Call.At > over {
		return &finding{fmt.Sprintf("did not run out: its lease of %s was kept alive last at %s, the cluster served from "+
			"%s on, and its value was read at %s", seconds(ttl), seconds(shown[0].Call.At), seconds(served),
			seconds(op.Return.At)), append(shown, op)}
	}
	return nil
}

// ranOut reports whether the key was seen to be gone without a revoke.
func (l *granted) ranOut() bool {
	if len(l.gone) == 0 {
		return false
	}
	_, revoked := l.revoked(l.gone[0].Return.At)
	return !revoked
}

// outlived reports whether the key was there later than its lease would have run out at first.
func (l *granted) outlived() bool {
	return l.ttl > 0 && l.once && l.last.Call.At > l.grant.Return.At+l.ttl
}

// thinAir is a read that found what nobody had asked for a lease of by then, under that key.
type thinAir struct{ history.Op }

// Error implements error.
func (o thinAir) Error() string {
	return fmt.Sprintf("%s holds %s at %s, for which nobody had asked for a lease", named(o.Call.Key),
		quoted(string(o.Return.Value)), seconds(o.Return.At))
}

func (o thinAir) invalid() Result {
	op := newTimelineOp(o.Op, quoted(describe(o.Op)))
	op.Culprit = true
	t := Timeline{Key: clip(o.Call.Key, maxText), About: "which found what is not there", Whole: 1, Ops: []TimelineOp{op}}
	return Result{Verdict: Invalid, Why: o.Error(), Ops: []int{o.Call.Index}, Attach: attach(KindTimeline, t)}
}

// invalid is the result that something is wrong with a lease.
func (l *granted) invalid(f *finding) Result {
	t := Timeline{
		Key: clip(l.key, maxText), About: "how its lease was broken",
		Whole: 1 + len(l.extends) + len(l.revokes) + len(l.gone),
	}
	r := Result{Verdict: Invalid, Why: fmt.Sprintf("%s (value %d) %s", named(l.key), l.value, f.why)}
	ops := f.ops
	if f.ops[0].Call.Index != l.grant.Call.Index {
		ops = append([]history.Op{l.grant}, ops...)
	}
	for i, op := range ops {
		o := newTimelineOp(op, quoted(describe(op)))
		o.Culprit = i == len(ops)-1
		t.Ops = append(t.Ops, o)
		r.Ops = append(r.Ops, op.Call.Index)
	}
	slices.SortFunc(t.Ops, byIndex)
	r.Attach = attach(KindTimeline, t)
	return r
}
