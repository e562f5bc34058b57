package register

import (
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// always is before all times.
const always = math.MinInt64

// cluster is a value and everything that happened to it.
type cluster struct {
	firstReturn, lastCall int64  // of the reads that saw it
	version               uint64 // 0 if nobody told
	producer              int32  // index of what installed it, or one of the two below
	next                  Value  // what a compare-and-set made of it; Absent if none did
	effective             bool   // it was installed
	hasPrevious, visited  bool
}

const (
	initially int32 = -1 // the register holds it at the beginning
	nobody    int32 = -2
)

// unique decides whether operations on a register are linearizable, in time that grows with their
// number and hardly more, if every value is written only once and none is the one at the beginning. It
// reports false if that is not so, or if there are differences among the observations.
//
// It is the zone test of Gibbons and Korach (SIAM J. Comput. 26, 1997), with chains of compare-and-sets in
// the place of single values, and closed over operations in doubt. In a legal order, the operations on a
// value are its producer, its reads, and perhaps one compare-and-set, which glues the next value on; so a
// legal order is one of whole chains, here called blocks. A block fits if no operation of a later part
// returned before one of an earlier part was called. Block A must come before block B if some operation
// of A returned before one of B was called, and if that relation has a cycle it has one of two.
//
// An operation in doubt counts if its value was seen, and so do those that it builds on. The others can be
// left out: what follows such an operation in a legal order, up to the next write, would observe its value,
// so nothing does.
//
// docs/checking.md has the whole argument.
func (d decider) unique(ops []Op, versioned bool) (Decision, bool) {
	g := graph{ops: ops, clusters: make([]cluster, values(ops)), versioned: versioned}
	if !g.produce() {
		return Decision{}, false
	}
	zones, conflict := g.arrange()
	out := Decision{Result: decided(conflict == nil), Engine: Unique, conflict: conflict}
	if versioned {
		out.Engine = Versioned
	}
	switch {
	case conflict == nil:
		if d.witness {
			out.Order = g.order(zones)
		}
	case versioned:
		out.ByValue = true
		plain := graph{ops: ops, clusters: make([]cluster, len(g.clusters))}
		plain.produce()
		if _, values := plain.arrange(); values != nil {
			out.conflict = values
		} else {
			out.name(porcupine.Ok)
		}
	default:
		out.ByValue = true
	}
	return out, true
}

// graph is the clusters of a history and what leads from one to another.
type graph struct {
	ops       []Op
	clusters  []cluster
	versioned bool
	inOrder   bool // the operations are in the order of their calls
	effective int  // clusters that are
}

// arrange returns the blocks in an order that explains the history, or values whose operations alone no order explains.
func (g *graph) arrange() (*zones, []Value) {
	if bad := g.observe(); bad != nil {
		return nil, bad
	}
	zones := &zones{all: make([]zone, g.effective), right: g.effective}
	var ranged []rangedZone
	visited := 0
	for v := range g.clusters {
		c := &g.clusters[v]
		if !c.effective || c.hasPrevious {
			continue
		}
		z, n, bad := g.block(Value(v))
		if bad != nil {
			return nil, bad
		}
		visited += n
		if g.versioned && z.high < z.low {
			return nil, g.valuesOf(Value(v))
		}
		if z.high != 0 {
			if ranged == nil {
				ranged = make([]rangedZone, 0, g.effective)
			}
			ranged = append(ranged, z)
			continue
		}
		zones.add(z.zone)
	}
	if visited < g.effective {
		return nil, g.circle()
	}
	if bad := g.byVersion(ranged); bad != nil {
		return nil, bad
	}
	for i := range ranged {
		zones.add(ranged[i].zone)
	}
	if a, b, ok := zones.overlap(); ok {
		return nil, g.valuesOf(a.head, a.byLast, b.head, b.byLast)
	}
	return zones, nil
}

// produce finds out what installs each value. It reports false if that is not unique.
func (g *graph) produce() bool {
	for v := range g.clusters {
		g.clusters[v] = cluster{firstReturn: Never, lastCall: always, producer: nobody}
	}
	g.clusters[Absent].producer = initially
	g.clusters[Absent].effective = true
	g.effective = 1
	g.inOrder = true
	last := int64(always)
	for i := range g.ops {
		o := &g.ops[i]
		g.inOrder = g.inOrder && o.Call >= last
		last = o.Call
		if o.Action == Differ {
			return false
		}
		value, installs := o.installs()
		if !installs {
			continue
		}
		c := &g.clusters[value]
		if c.producer != nobody {
			return false
		}
		c.producer = int32(i)
		if !o.inDoubt() {
			c.effective = true
			g.effective++
			if g.versioned {
				c.version = o.Version
			}
		}
	}
	return true
}

// observe takes what the operations saw into account. It returns the values of which that alone
// cannot be.
func (g *graph) observe() (bad []Value) {
	for i := range g.ops {
		o := &g.ops[i]
		switch {
		case o.Action == Read:
			c := &g.clusters[o.Value]
			if !g.take(o.Value) {
				return g.ancestors(o.Value)
			}
			c.firstReturn, c.lastCall = min(c.firstReturn, o.Return), max(c.lastCall, o.Call)
			if g.versioned && o.Version != 0 {
				if c.version != 0 && c.version != o.Version {
					return []Value{o.Value}
				}
				c.version = o.Version
			}
		case o.Action == Swap && !o.inDoubt():
			if !g.link(o) {
				return g.ancestors(o.Value)
			}
		}
	}
	return nil
}

// take makes sure that a value that was seen was installed.
func (g *graph) take(v Value) bool {
	for {
		c := &g.clusters[v]
		if c.effective {
			return true
		}
		if c.producer == nobody {
			return false
		}
		c.effective = true
		g.effective++
		o := &g.ops[c.producer]
		if o.Action != Swap {
			return true
		}
		if !g.glue(o) {
			return false
		}
		v = o.Old
	}
}

// link glues what a compare-and-set installed on to what it found, which must have been there.
func (g *graph) link(o *Op) bool { return g.glue(o) && g.take(o.Old) }

// glue is link without looking back. Only one can have found a value.
func (g *graph) glue(o *Op) bool {
	from := &g.clusters[o.Old]
	if from.next != Absent {
		return false
	}
	from.next = o.Value
	g.clusters[o.Value].hasPrevious = true
	return true
}

// ancestors returns a value and those that it was made of, down to the first that no single one
// can have been made of, and the others that were made of that one.
func (g *graph) ancestors(v Value) []Value {
	list := []Value{v}
	for {
		p := g.clusters[v].producer
		if p < 0 || g.ops[p].Action != Swap {
			return list
		}
		maker := &g.ops[p]
		if v = maker.Old; slices.Contains(list, v) {
			return list
		}
		list = append(list, v)
		if next := g.clusters[v].next; next != maker.Value && next != Absent {
			return append(list, next)
		}
	}
}

// block returns the zone and the length of the block that begins with a value, or the values in it of
// which a later one was there before an earlier one.
func (g *graph) block(head Value) (z rangedZone, length int, bad []Value) {
	z.zone = zone{first: Never, last: always, head: head, byLast: head}
	latest := head // what z.last comes from
	for v := head; ; {
		length++
		c := &g.clusters[v]
		c.visited = true
		call, ret := int64(always), int64(always)
		if c.producer >= 0 {
			call, ret = g.ops[c.producer].Call, g.ops[c.producer].Return
		}
		early := ret < z.last
		z.first = min(z.first, ret, c.firstReturn)
		if call > z.last {
			z.last, latest = call, v
		}
		if early || c.firstReturn < z.last {
			return z, length, g.between(latest, v)
		}
		if c.lastCall > z.last {
			z.last, latest = c.lastCall, v
		}
		if c.version != 0 {
			z.take(c.version)
		}
		if c.next == Absent {
			return z, length, nil
		}
		v = c.next
	}
}

// between returns the values of a block from one to another.
func (g *graph) between(from, to Value) []Value {
	list := []Value{from}
	for from != to {
		from = g.clusters[from].next
		list = append(list, from)
	}
	return list
}

// valuesOf returns all values of the blocks that begin with the given ones.
func (g *graph) valuesOf(heads ...Value) []Value {
	slices.Sort(heads)
	var list []Value
	for _, v := range slices.Compact(heads) {
		for list = append(list, v); g.clusters[v].next != Absent; list = append(list, v) {
			v = g.clusters[v].next
		}
	}
	return list
}

// circle returns values that were each made of the next one.
func (g *graph) circle() []Value {
	v := Value(slices.IndexFunc(g.clusters, func(c cluster) bool { return c.effective && !c.visited }))
	var list []Value
	for ; !g.clusters[v].visited; v = g.clusters[v].next {
		g.clusters[v].visited = true
		list = append(list, v)
	}
	return list
}
