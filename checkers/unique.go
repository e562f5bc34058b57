package checkers

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// never and always bound all times of a history.
const (
	always = time.Duration(math.MinInt64)
	never  = history.Never
)

// cluster is a value and everything that happened to it.
type cluster struct {
	producer    *op // what installed it; nil for the value at the beginning
	effective   bool
	next        *cluster // what a compare-and-set made of it
	hasPrevious bool
	// Of the reads that saw it: the first return and the last call.
	minReturn, maxCall time.Duration
}

// zone is the time that a maximal chain of compare-and-sets, with the reads of its values, needs for
// itself: from its first return to its last call.
type zone struct{ first, last time.Duration }

// unique decides whether operations on a register are linearizable, in time that grows with their
// number and hardly more, if every value is written only once and none is the one at the beginning. It
// reports false if that is not so, or if there are differences among the observations.
//
// It is the zone test of Gibbons and Korach (SIAM J. Comput. 26, 1997), with chains of compare-and-sets in
// the place of single values, and closed over operations in doubt. In a legal order, the operations on a
// value are its producer, its reads, and perhaps one compare-and-set, which glues the next value on; so a
// legal order is one of whole chains. A chain fits if no operation of a later part returned before one of
// an earlier part was called. Chain A must come before chain B if some operation of A returned before
// one of B was called, and if that relation has a cycle it has one of two.
//
// An operation in doubt counts if its value was seen, and so do those that it builds on; the others can
// be left out (see withoutUnobserved).
func unique(ops []op) (v Verdict, ok bool) {
	clusters, ok := produce(ops)
	if !ok {
		return Unknown, false
	}
	if !observe(ops, clusters) {
		return Invalid, true
	}
	var forward, backward []zone
	chained, effective := 0, 0
	for _, c := range clusters {
		if !c.effective {
			continue
		}
		effective++
		if c.hasPrevious {
			continue
		}
		z, n, fits := c.chain()
		if !fits {
			return Invalid, true
		}
		chained += n
		if z.first < z.last {
			forward = append(forward, z)
		} else {
			backward = append(backward, z)
		}
	}
	// Values that are in no chain with a beginning are in a circle of compare-and-sets.
	if chained < effective || !disjoint(forward, backward) {
		return Invalid, true
	}
	return Valid, true
}

// produce finds out what installs each value. It reports false if that is not unique.
func produce(ops []op) (clusters map[string]*cluster, ok bool) {
	clusters = make(map[string]*cluster, len(ops)/2+1)
	clusters[absent] = &cluster{effective: true, minReturn: never, maxCall: always}
	for i := range ops {
		o := &ops[i]
		if o.action == differ {
			return nil, false
		}
		value, installs := o.installs()
		if !installs {
			continue
		}
		if clusters[value] != nil {
			return nil, false
		}
		clusters[value] = &cluster{producer: o, effective: o.ret != never, minReturn: never, maxCall: always}
	}
	return clusters, true
}

// observe takes what the operations saw into account. It reports false if that alone cannot be.
func observe(ops []op, clusters map[string]*cluster) bool {
	for i := range ops {
		o := &ops[i]
		switch {
		case o.action == reads:
			c := clusters[o.value]
			if c == nil || !c.take(clusters) {
				return false
			}
			c.minReturn, c.maxCall = min(c.minReturn, o.ret), max(c.maxCall, o.call)
		case o.action == swaps && o.ret != never:
			if !link(o, clusters) {
				return false
			}
		}
	}
	return true
}

// take makes sure that a value that was seen was installed.
func (c *cluster) take(clusters map[string]*cluster) bool {
	if c.effective {
		return true
	}
	c.effective = true
	return c.producer.action != swaps || link(c.producer, clusters)
}

// link glues what a compare-and-set installed on to what it found. Only one can have found it.
func link(o *op, clusters map[string]*cluster) bool {
	from, to := clusters[o.old], clusters[o.value]
	if from == nil || from.next != nil {
		return false
	}
	from.next, to.hasPrevious = to, true
	return from.take(clusters)
}

// chain returns the zone and the length of the chain that begins with c, and whether it fits.
func (c *cluster) chain() (z zone, length int, fits bool) {
	z = zone{first: never, last: always}
	for ; c != nil; c = c.next {
		length++
		call, ret := always, always
		if c.producer != nil {
			call, ret = c.producer.call, c.producer.ret
		}
		if ret < z.last {
			return z, length, false
		}
		z.last, z.first = max(z.last, call), min(z.first, ret)
		if c.minReturn < z.last {
			return z, length, false
		}
		z.last, z.first = max(z.last, c.maxCall), min(z.first, c.minReturn)
	}
	return z, length, true
}

// disjoint reports whether no two zones must each come before the other.
func disjoint(forward, backward []zone) bool {
	slices.SortFunc(forward, func(a, b zone) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(forward); i++ {
		if forward[i].first < forward[i-1].last {
			return false
		}
	}
	for _, b := range backward {
		// Of the forward zones that begin before it ends, the last one ends last.
		n, _ := slices.BinarySearchFunc(forward, b.last, func(f zone, t time.Duration) int { return cmp.Compare(f.first, t) })
		if n > 0 && forward[n-1].last > b.first {
			return false
		}
	}
	return true
}
