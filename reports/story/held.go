package story

import (
	"fmt"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// holders tells of two clients that held a lock at once.
func (t *teller) holders() *Story {
	all, ok := t.tenures()
	if after, late, damaged := t.lateWrite(all); ok && damaged {
		return t.tellLate(DoubleHolder, all, after, late, fmt.Sprintf("Double holder: %s wrote under %s at %s, after %s had "+
			"acquired it, at %s, and written.", client(all.All[late.Tenure]), quoted(late.Lock), seconds(late.At),
			client(all.All[after.Tenure]), seconds(all.All[after.Tenure].From)))
	}
	if !ok || len(all.Overlaps) == 0 {
		return t.plain(DoubleHolder)
	}
	o := all.Overlaps[0]
	holder, next := all.All[o.Holder], all.All[o.Next]
	t.around(holder.From, holder.Until, []string{holder.Node, next.Node})
	t.elections(holder.From, holder.Until)
	t.add(holder.From, holder.Index, "%s acquired %s at %s (token %d).", client(holder), quoted(holder.Lock),
		seconds(holder.From), holder.Token)
	t.add(next.From, next.Index, "%s acquired it at %s (token %d).", client(next), seconds(next.From), next.Token)
	end := map[checkers.Ending]string{
		checkers.Told: "learned that it had lost it", checkers.Released: "released it", checkers.Refused: "wrote, and was refused,",
		checkers.NotHeardOf: "still wrote under it",
	}[holder.Ended]
	t.add(holder.Until, holder.Last, "%s %s at %s.", client(holder), end, seconds(holder.Until))
	return t.story(DoubleHolder, fmt.Sprintf("Double holder: %s and %s both held %s, from %s to %s (%s).", client(holder),
		client(next), quoted(holder.Lock), seconds(next.From), seconds(holder.Until), span(holder.Until-next.From)))
}

// tokens tells of a token that was older than one before, or given twice.
func (t *teller) tokens() *Story {
	all, ok := t.tenures()
	if !ok {
		return nil
	}
	after, late, ok := t.lateWrite(all)
	if !ok {
		return t.plain(StaleToken)
	}
	return t.tellLate(StaleToken, all, after, late, fmt.Sprintf("Stale token: the resource accepted a write of %s with token %d "+
		"at %s, after one with token %d.", client(all.All[late.Tenure]), late.Token, seconds(late.At), after.Token))
}

// lateWrite returns the write that the resource accepted too late, and the one that came before it, of a later holder.
// They are the last two events that the result rests on.
func (t *teller) lateWrite(all checkers.Tenures) (after, late checkers.GuardedWrite, ok bool) {
	const events = 4
	if len(t.result.Ops) != events {
		return after, late, false
	}
	found := 0
	for _, w := range all.Writes {
		if w.Tenure < 0 || w.Tenure >= len(all.All) {
			continue
		}
		switch w.Index {
		case t.result.Ops[events-2]:
			after, found = w, found+1
		case t.result.Ops[events-1]:
			late, found = w, found+1
		}
	}
	return after, late, found == 2
}

// tellLate tells of a write that was accepted after one of a later holder.
func (t *teller) tellLate(c Class, all checkers.Tenures, after, late checkers.GuardedWrite, headline string) *Story {
	holder, next := all.All[late.Tenure], all.All[after.Tenure]
	t.around(holder.From, late.At, []string{holder.Node, next.Node})
	t.add(holder.From, holder.Index, "%s acquired %s at %s (token %d).", client(holder), quoted(late.Lock),
		seconds(holder.From), holder.Token)
	t.add(next.From, next.Index, "%s acquired it at %s (token %d).", client(next), seconds(next.From), next.Token)
	t.add(after.At, after.Index, "The resource accepted a write of %s (token %d) at %s.", client(next), after.Token,
		seconds(after.At))
	t.add(late.At, late.Index, "The resource accepted a write of %s (token %d) at %s.", client(holder), late.Token,
		seconds(late.At))
	return t.story(c, headline)
}

// tenures reads who held what.
func (t *teller) tenures() (checkers.Tenures, bool) {
	for _, a := range t.result.Attach {
		if a.Kind == checkers.KindTenures {
			all, err := checkers.Decode[checkers.Tenures](a.Data)
			return all, err == nil
		}
	}
	return checkers.Tenures{}, false
}

func client(one checkers.Tenure) string {
	return fmt.Sprintf("process %d at %s", one.Process, quoted(one.Node))
}

// lease tells of a key whose lease was not kept.
func (t *teller) lease() *Story {
	culprit, ok := t.culprit()
	if !ok {
		return t.plain(BrokenLease)
	}
	var last history.Op // what gave the lease its time, or took it
	from := culprit.Call.At
	for _, i := range t.result.Ops {
		if i == culprit.Call.Index || i < 0 || i >= t.h.Len() || t.h.Event(i).Kind != history.Invoke {
			continue
		}
		op := t.h.Op(i)
		if op.Call.At >= from {
			continue
		}
		last = op
		t.add(op.Return.At, op.Return.Index, "%s answered the %s at %s.", at(op), kind(op), seconds(op.Return.At))
	}
	since := max(0, from-2*time.Second)
	if last.Call.Key != "" {
		since = min(since, last.Call.At)
	}
	t.around(since, culprit.Return.At, append(t.ledIn(since, culprit.Return.At), culprit.Call.Node))
	t.elections(since, culprit.Return.At)
	what := kind(culprit)
	if v := observed(culprit); v != "" {
		what += " that found " + holding(v)
	}
	t.add(
		culprit.Return.At,
		culprit.Return.Index,
		"%s answered a %s at %s.",
		at(culprit),
		what,
		seconds(culprit.Return.At),
	)
	return t.story(BrokenLease, "Broken lease: "+t.result.Why+".")
}
