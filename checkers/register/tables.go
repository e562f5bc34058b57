package register

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// The compact search visits millions of configurations: they are of fixed size, and what is not is
// numbered.

// configs is the set of configurations that were visited. It compares them whole: to take one for
// another would be a false verdict.
type configs[M mask] struct {
	table []config[M] // p is one more than it is, so that zero is empty
	n     int
}

// size is that of a configuration in memory.
func (s *configs[M]) size() int64 { var m M; return int64(8*len(m)) + 16 }

func (s *configs[M]) bytes() int64 { return int64(len(s.table)) * s.size() }

// full reports whether the table is made anew, twice as large, for the next configuration.
func (s *configs[M]) full() bool { return 4*s.n >= 3*len(s.table) }

// growth is how much more the next configuration needs for a while.
func (s *configs[M]) growth() int64 {
	if s.full() {
		return 2 * s.bytes()
	}
	return 0
}

// add reports whether c is new.
func (s *configs[M]) add(c config[M]) bool {
	if s.full() {
		old := s.table
		s.table = make([]config[M], max(64, 2*len(old)))
		for i := range old {
			if old[i].p != 0 {
				s.table[s.find(&old[i])] = old[i]
			}
		}
	}
	c.p++
	i := s.find(&c)
	if s.table[i].p != 0 {
		return false
	}
	s.table[i] = c
	s.n++
	return true
}

// find returns where c is, or where it would be.
func (s *configs[M]) find(c *config[M]) int {
	high, low := bits.Mul64(uint64(c.p)<<32^uint64(c.state)^0xd1b54a32d192ed03, uint64(c.used)<<17^0xa0761d6478bd642f)
	for n := range len(c.mask) {
		high, low = bits.Mul64(high^low^c.mask[n], 0x9e3779b97f4a7c15)
	}
	high, low = bits.Mul64(high^low, 0xe7037ed1a0b428db)
	for i := int((high ^ low) & uint64(len(s.table)-1)); ; i = (i + 1) & (len(s.table) - 1) {
		if s.table[i].p == 0 || s.table[i] == *c {
			return i
		}
	}
}

// leastUses knows, for configurations that differ only in what they used, which sets they used. One that used a
// subset of another can do all that the other can.
type leastUses[M mask] struct {
	first map[config[M]]int32 // of those that used nothing: the last set in sets
	sets  []usedSet
}

type usedSet struct {
	used uint32
	next int32 // -1: none
}

// maxCompared bounds how many sets one is compared with.
const maxCompared = 64

func (l *leastUses[M]) bytes() int64 {
	var m M
	return int64(len(l.first))*(int64(8*len(m))+40) + int64(cap(l.sets))*8
}

// add reports whether no configuration is known that has used less.
func (l *leastUses[M]) add(c *config[M], u *uses) bool {
	place := *c
	place.used = 0
	first, known := l.first[place]
	if !known {
		if l.first == nil {
			l.first = make(map[config[M]]int32)
		}
		first = -1
	}
	for i, n := first, 0; i >= 0 && n < maxCompared; i, n = l.sets[i].next, n+1 {
		if u.within(l.sets[i].used, c.used) {
			return false
		}
	}
	l.first[place] = int32(len(l.sets))
	l.sets = append(l.sets, usedSet{c.used, first})
	return true
}

// states numbers what the register may hold.
type states struct {
	list []held
	ids  map[held]uint32
}

func newStates() *states { return &states{ids: make(map[held]uint32)} }

func (s *states) bytes() int64 { return int64(len(s.list)) * 80 }

func (s *states) id(h held) uint32 {
	id, ok := s.ids[h]
	if !ok {
		id = uint32(len(s.list))
		s.list = append(s.list, h)
		s.ids[h] = id
	}
	return id
}

// use says how many of a kind of operations in doubt took effect.
type use struct{ kind, count uint32 }

// uses numbers multisets of operations in doubt; 0 is the empty one.
type uses struct {
	list  [][]use // each by kind
	ids   map[string]uint32
	next  map[[2]uint32]uint32 // by set and kind: the set with one more
	text  []byte
	total int64
}

func newUses() *uses {
	return &uses{list: [][]use{nil}, ids: map[string]uint32{"": 0}, next: make(map[[2]uint32]uint32)}
}

func (u *uses) bytes() int64 { return u.total }

func (u *uses) count(set, kind uint32) uint32 {
	for _, one := range u.list[set] {
		if one.kind == kind {
			return one.count
		}
	}
	return 0
}

// with returns the set with one more of each of some kinds.
func (u *uses) with(set uint32, kinds ...uint32) uint32 {
	step := [2]uint32{set, kinds[0]}
	if id, ok := u.next[step]; ok && len(kinds) == 1 {
		return id
	}
	list := make([]use, 0, len(u.list[set])+len(kinds))
	list = append(list, u.list[set]...)
	for _, kind := range kinds {
		list = append(list, use{kind, 1})
	}
	slices.SortFunc(list, func(a, b use) int { return cmp.Compare(a.kind, b.kind) })
	n := 0 // kinds that are different
	for i, one := range list {
		if i > 0 && list[n-1].kind == one.kind {
			list[n-1].count += one.count
		} else {
			list[n] = one
			n++
		}
	}
	id := u.id(list[:n])
	if len(kinds) == 1 {
		u.next[step] = id
		u.total += 40
	}
	return id
}

// within reports whether one set is a part of another.
func (u *uses) within(part, whole uint32) bool {
	rest := u.list[whole]
	for _, one := range u.list[part] {
		for len(rest) > 0 && rest[0].kind < one.kind {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0].kind != one.kind || rest[0].count < one.count {
			return false
		}
	}
	return true
}

// added returns the kinds that the second set has beyond the first, in the order in which one leads to the next from
// what the register holds.
func (u *uses) added(before, after uint32, now Value, doubts []doubt) (chain []uint32) {
	if before == after {
		return nil
	}
	from := make(map[Value]uint32)
	for _, one := range u.list[after] {
		if u.count(before, one.kind) == one.count {
			continue
		}
		if o := &doubts[one.kind].op; o.Action == Swap {
			from[o.Old] = one.kind
		} else {
			chain = append(chain, one.kind) // there is one at most, and it comes first
			now = o.Value
		}
	}
	for len(from) > 0 {
		t, ok := from[now]
		if !ok {
			break // never: they were chosen to lead on
		}
		delete(from, now)
		chain = append(chain, t)
		now = doubts[t].op.Value
	}
	return chain
}

// forget leaves out what nobody can need at the p-th return or later.
func (u *uses) forget(set, p uint32, lastNeed []uint32) uint32 {
	old := func(one use) bool { return lastNeed[one.kind] < p }
	if list := u.list[set]; slices.ContainsFunc(list, old) {
		return u.id(slices.DeleteFunc(slices.Clone(list), old))
	}
	return set
}

func (u *uses) id(list []use) uint32 {
	u.text = u.text[:0]
	for _, one := range list {
		u.text = binary.LittleEndian.AppendUint32(u.text, one.kind)
		u.text = binary.LittleEndian.AppendUint32(u.text, one.count)
	}
	id, ok := u.ids[string(u.text)]
	if !ok {
		id = uint32(len(u.list))
		u.ids[string(u.text)] = id
		u.list = append(u.list, list)
		u.total += 80 + 2*int64(len(u.text))
	}
	return id
}
