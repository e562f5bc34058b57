package checkers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sunder-dev/sunder/harness/history"
)

// fencing checks that tokens protect what a lock guards: the resource never accepts a write with an older token than
// one that it accepted before; no two tenures have the same token; and who asks for the lock after somebody had got it
// gets a higher one. It does not ask that no two clients believe that they hold the lock at once: no lock with a lease
// can keep a client from that which is paused (see mutex).
type fencing struct{}

// Check implements [Checker].
func (fencing) Check(_ context.Context, h *history.History) Result {
	t, err := tenuresOf(h)
	if err != nil {
		return Result{Verdict: Unknown, Why: err.Error()}
	}
	r := Result{Attach: attach(KindTenures, t)}
	for _, find := range []func(Tenures) (string, []int){acceptedStale, tokenTwice, tokenLower} {
		if why, ops := find(t); why != "" {
			r.Verdict, r.Why, r.Ops = Invalid, why, ops
			return r
		}
	}
	switch why := t.competed(); {
	case why != "":
		r.Why = why
		return r
	case len(t.Writes) == 0:
		r.Why = "nothing was ever written to the guarded resource, so that no token was checked"
		return r
	}
	r.Verdict = Valid
	r.Why = fmt.Sprintf("%s of %s, each with a higher token than the one before; the resource accepted %s, none older "+
		"than one before", count(len(t.All), "tenure"), count(len(t.locks()), "lock"), count(len(t.Writes)-t.Refused, "write"))
	switch n := len(t.Overlaps); {
	case n > 0:
		r.Why += fmt.Sprintf("; %s a client still believed that it held a lock that another one had acquired, for up to "+
			"%s, and the resource refused %s of former holders", times(n), seconds(t.longest()), count(t.Refused, "write"))
	case t.Refused > 0:
		r.Why += fmt.Sprintf("; it refused %s of former holders", count(t.Refused, "write"))
	default:
		r.Why += "; no former holder wrote, so that no write had to be refused"
	}
	return r
}

// acceptedStale finds a write that was accepted after one with a higher token.
func acceptedStale(t Tenures) (why string, ops []int) {
	for _, lock := range t.locks() {
		var highest *GuardedWrite
		for _, w := range t.accepted(lock) {
			if highest != nil && w.Token < highest.Token {
				return fmt.Sprintf("the resource accepted a stale write: %s wrote to %s with token %d at %s, after %s had written "+
					"with token %d", t.All[w.Tenure].who(), quoted(lock), w.Token, seconds(w.At), t.All[highest.Tenure].who(),
					highest.Token), []int{t.All[w.Tenure].Index, t.All[highest.Tenure].Index, highest.Index, w.Index}
			}
			if highest == nil || w.Token > highest.Token {
				highest = &w
			}
		}
	}
	return "", nil
}

// tokenTwice finds two tenures with the same token.
func tokenTwice(t Tenures) (why string, ops []int) {
	type key struct {
		lock  string
		token uint64
	}
	seen := make(map[key]Tenure)
	for _, one := range t.All {
		k := key{one.Lock, one.Token}
		if first, ok := seen[k]; ok {
			return fmt.Sprintf("a token was given twice: %s, and so did %s from %s, so that the resource cannot tell them apart",
				first.since(), one.who(), seconds(one.From)), []int{first.Index, one.Index}
		}
		seen[k] = one
	}
	return "", nil
}

// tokenLower finds a tenure that was asked for after another one had begun, and has a lower token.
func tokenLower(t Tenures) (why string, ops []int) {
	for _, lock := range t.locks() {
		var all []Tenure
		for _, one := range t.All {
			if one.Lock == lock {
				all = append(all, one)
			}
		}
		asked := slices.SortedStableFunc(slices.Values(all), func(a, b Tenure) int { return cmp.Compare(a.Asked, b.Asked) })
		began, highest := 0, -1 // of all, in the order of their beginnings
		for _, one := range asked {
			for ; began < len(all) && all[began].From < one.Asked; began++ {
				if highest < 0 || all[began].Token > all[highest].Token {
					highest = began
				}
			}
			if highest >= 0 && one.Token < all[highest].Token {
				first := all[highest]
				return fmt.Sprintf("a later holder has a lower token: %s; %s asked for it at %s and got token %d, with which the "+
						"resource refuses its writes", first.since(), one.who(), seconds(one.Asked), one.Token),
					[]int{first.Index, one.Index}
			}
		}
	}
	return "", nil
}
