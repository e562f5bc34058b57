package checkers

import (
	"context"
	"fmt"

	"github.com/sunder-dev/sunder/harness/history"
)

// mutex checks mutual exclusion: no two clients hold a lock, or lead, at once. A client holds a lock from the answer
// that it has it until it calls to release it, or learns that it has lost it; being paused or cut off does not end
// that. Each end is taken so that the time only becomes shorter, so what overlaps here did. The resource that the lock
// guards is a second witness: the write of a holder must not come after a write of a later one.
type mutex struct{}

// Check implements [Checker].
func (mutex) Check(_ context.Context, h *history.History) Result {
	t, err := tenuresOf(h)
	if err != nil {
		return Result{Verdict: Unknown, Why: err.Error()}
	}
	r := Result{Attach: attach(KindTenures, t)}
	if late, ok := t.late(); ok {
		after, by := t.All[late.after.Tenure], t.All[late.write.Tenure]
		r.Verdict, r.Ops = Invalid, []int{by.Index, after.Index, late.after.Index, late.write.Index}
		r.Why = fmt.Sprintf("%s did not keep two clients apart: %s; %s acquired it at %s (token %d) and wrote, and then the "+
			"resource accepted a write of %s, at %s", quoted(by.Lock), by.since(), after.who(), seconds(after.From),
			after.Token, by.who(), seconds(late.write.At))
		return r
	}
	if len(t.Overlaps) > 0 {
		holder, next := t.All[t.Overlaps[0].Holder], t.All[t.Overlaps[0].Next]
		r.Verdict, r.Ops = Invalid, []int{holder.Index, next.Index, holder.Last, next.Last}
		r.Why = fmt.Sprintf("two clients held %s at once: %s and %s; %s acquired it at %s (token %d)", quoted(holder.Lock),
			holder.since(), holder.end(), next.who(), seconds(next.From), next.Token)
		if more := len(t.Overlaps) - 1; more > 0 {
			r.Why += fmt.Sprintf("; that happened %s more", times(more))
		}
		return r
	}
	if why := t.competed(); why != "" {
		r.Why = why
		return r
	}
	r.Verdict = Valid
	r.Why = fmt.Sprintf("%s of %s, no two at once; the resource accepted %s in the order of their holders",
		count(len(t.All), "tenure"), count(len(t.locks()), "lock"), count(len(t.Writes)-t.Refused, "write"))
	return r
}

// times writes how often.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// lateWrite is a write of a holder that was accepted after one of a later holder.
type lateWrite struct{ after, write GuardedWrite }

// late returns the first write that was accepted after one of a later holder. Whose tenure is later is told by the
// clients' answers: who holds a lock and writes has been answered before anybody else can be, if only one holds it.
func (t Tenures) late() (lateWrite, bool) {
	for _, lock := range t.locks() {
		var latest *GuardedWrite // of the tenure that began last, among those that have written
		for _, w := range t.accepted(lock) {
			if latest != nil && w.Tenure < latest.Tenure {
				return lateWrite{*latest, w}, true
			}
			if latest == nil || w.Tenure > latest.Tenure {
				latest = &w
			}
		}
	}
	return lateWrite{}, false
}
