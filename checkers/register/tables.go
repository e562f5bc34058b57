package register

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The compact search visits millions of configurations: they are of fixed size, and what is not is
// numbered.

// configs is the set of configurations that were visited. It compares them whole: to take one for
// another would be a false verdict.
type configs struct {
	table []config // p is one more than it is, so that zero is empty
	n     int
}

func (s *configs) bytes() int64 { return int64(len(s.table)) * 24 }

// full reports whether the table is made anew, twice as large, for the next configuration.
func (s *configs) full() bool { return 4*s.n >= 3*len(s.table) }

// growth is how much more the next configuration needs for a while.
func (s *configs) growth() int64 {
	if s.full() {
		return 2 * s.bytes()
	}
	return 0
}

// add reports whether c is new.
func (s *configs) add(c config) bool {
	if s.full() {
		old := s.table
		s.table = make([]config, max(64, 2*len(old)))
		for _, c := range old {
			if c.p != 0 {
				s.table[s.find(c)] = c
			}
		}
	}
	c.p++
	i := s.find(c)
	if s.table[i].p != 0 {
		return false
	}
	s.table[i] = c
	s.n++
	return true
}

// find returns where c is, or where it would be.
func (s *configs) find(c config) int {
	high, low := bits.Mul64(c.mask^0x9e3779b97f4a7c15, uint64(c.p)<<32^uint64(c.state)^0xd1b54a32d192ed03)
	high, low = bits.Mul64(high^low^uint64(c.used)<<17, 0xa0761d6478bd642f)
	for i := int((high ^ low) & uint64(len(s.table)-1)); ; i = (i + 1) & (len(s.table) - 1) {
		if s.table[i].p == 0 || s.table[i] == c {
			return i
		}
	}
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

// with returns the set with one more of a kind.
func (u *uses) with(set, kind uint32) uint32 {
	step := [2]uint32{set, kind}
	if id, ok := u.next[step]; ok {
		return id
	}
	list := slices.Clone(u.list[set])
	i, found := slices.BinarySearchFunc(list, kind, func(a use, kind uint32) int { return int(a.kind) - int(kind) })
	if !found {
		list = slices.Insert(list, i, use{kind: kind})
	}
	list[i].count++
	id := u.id(list)
	u.next[step] = id
	u.total += 40
	return id
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
