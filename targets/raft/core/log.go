package core

import (
	"fmt"
	"slices"
)

// raftLog is the log in memory: the entries after a base, which stands for all that is compacted.
type raftLog struct {
	base, baseTerm uint64  // index and term of the last compacted entry
	entries        []Entry // entries[i].Index == base+1+i
	committed      uint64  // highest index known to be committed
	handed         uint64  // highest index handed out to be stored
	applied        uint64  // highest index handed out to be applied
	bytes          int     // what the entries weigh
	// configs are the members at the base, and after each entry that changes them.
	configs []config
	sticky  bool // planted bug change-not-rolled-back: they stay in force when their entries are cut off
}

// config says who the members are from an index on.
type config struct {
	index   uint64
	members Members
}

// members are those of the last entry that changes them, whether or not it is committed, and changedAt is its index, or
// the base.
func (l *raftLog) members() Members  { return l.configs[len(l.configs)-1].members }
func (l *raftLog) changedAt() uint64 { return l.configs[len(l.configs)-1].index }

// membersAt returns the members as of index i, which is not before the base.
func (l *raftLog) membersAt(i uint64) Members { return l.since(i)[0] }

// since returns the members as of index i, and all that they become after it.
func (l *raftLog) since(i uint64) (all []Members) {
	for n, c := range l.configs {
		if n+1 == len(l.configs) || l.configs[n+1].index > i {
			all = append(all, c.members)
		}
	}
	return all
}

// note takes note of the changes of members in entries that were added, and forget undoes those behind index i.
func (l *raftLog) note(entries []Entry) {
	for _, e := range entries {
		if e.Members != nil {
			l.configs = append(l.configs, config{e.Index, *e.Members})
		}
	}
}

func (l *raftLog) forget(i uint64) {
	if l.sticky {
		return
	}
	keep := 1
	for keep < len(l.configs) && l.configs[keep].index <= i {
		keep++
	}
	l.configs = slices.Clip(l.configs[:keep])
}

// entryOverhead is what an entry weighs without its data.
const entryOverhead = 64

// weight is what entries take in memory, and about what they take in a message.
func weight(entries []Entry) (bytes int) {
	for i := range entries {
		bytes += entryOverhead + len(entries[i].Data)
	}
	return bytes
}

func (l *raftLog) firstIndex() uint64 { return l.base + 1 }
func (l *raftLog) lastIndex() uint64  { return l.base + uint64(len(l.entries)) }
func (l *raftLog) lastTerm() uint64   { return l.mustTerm(l.lastIndex()) }

// term returns the term of the entry at index i, or false if the log does not know it.
func (l *raftLog) term(i uint64) (uint64, bool) {
	switch {
	case i == l.base:
		return l.baseTerm, true
	case i < l.base || i > l.lastIndex():
		return 0, false
	default:
		return l.entries[i-l.firstIndex()].Term, true
	}
}

func (l *raftLog) mustTerm(i uint64) uint64 {
	t, ok := l.term(i)
	if !ok {
		panic(fmt.Sprintf("raft log: no term at index %d of [%d, %d]", i, l.firstIndex(), l.lastIndex()))
	}
	return t
}

// matches says whether the log has an entry of the given term at index i (Log Matching).
func (l *raftLog) matches(i, term uint64) bool {
	t, ok := l.term(i)
	return ok && t == term
}

// slice returns the entries from low up to high, without high. The caller must not change them;
// appending to them copies.
func (l *raftLog) slice(low, high uint64) []Entry {
	first := l.firstIndex()
	return l.entries[low-first : high-first : high-first]
}

// add appends at the end.
func (l *raftLog) add(e Entry) {
	l.entries = append(l.entries, e)
	l.bytes += entryOverhead + len(e.Data)
	l.note([]Entry{e})
}

// replace puts entries in their places and drops whatever conflicts with them and follows
// (Figure 2, AppendEntries 3 and 4). Entries that are there already stay: a message that was
// overtaken by a later one must not cut the log short.
func (l *raftLog) replace(entries []Entry) {
	for i, e := range entries {
		if l.matches(e.Index, e.Term) || e.Index <= l.base {
			continue
		}
		l.bytes += weight(entries[i:]) - weight(l.slice(e.Index, max(e.Index, l.lastIndex()+1)))
		l.entries = append(l.slice(l.firstIndex(), e.Index), entries[i:]...)
		l.handed = min(l.handed, e.Index-1)
		l.forget(e.Index - 1)
		l.note(entries[i:])
		return
	}
}

// drop begins anew after a snapshot.
func (l *raftLog) drop(s Snapshot) {
	*l = raftLog{
		base: s.Index, baseTerm: s.Term, committed: s.Index, handed: s.Index, applied: s.Index,
		configs: []config{{s.Index, s.Members}}, sticky: l.sticky,
	}
}

// truncate drops what comes after index i.
func (l *raftLog) truncate(i uint64) {
	if i < l.base || i >= l.lastIndex() {
		return
	}
	l.bytes -= weight(l.slice(i+1, l.lastIndex()+1))
	l.entries, l.handed = l.slice(l.firstIndex(), i+1), min(l.handed, i)
	l.forget(i)
}

// compact makes s the base of the log, but keeps up to keep entries before it, and keepBytes of them at the most if
// that is not 0. If the log does not hold the entry of s, nothing of it is worth keeping.
func (l *raftLog) compact(s Snapshot, keep uint64, keepBytes int) {
	if !l.matches(s.Index, s.Term) {
		l.drop(s)
		return
	}
	base := s.Index
	for bytes := 0; base > l.base && s.Index-base < keep; base-- {
		if bytes += weight(l.slice(base, base+1)); keepBytes > 0 && bytes > keepBytes {
			break
		}
	}
	tail := append([]Entry(nil), l.slice(base+1, l.lastIndex()+1)...) // lets go of the rest
	first := config{base, l.membersAt(base)}
	for len(l.configs) > 0 && l.configs[0].index <= base {
		l.configs = l.configs[1:]
	}
	l.configs = append([]config{first}, l.configs...)
	l.base, l.baseTerm, l.entries, l.bytes = base, l.mustTerm(base), tail, weight(tail)
}

// conflict returns the highest index up to i whose term is not above term: above it, a log whose
// entry at i has that term cannot agree with this one (the optimisation at the end of §5.3). The
// result is below the base if no entry that is still here will do.
func (l *raftLog) conflict(i, term uint64) uint64 {
	i = min(i, l.lastIndex())
	for i >= l.base && i > 0 && l.mustTerm(i) > term {
		i--
	}
	return i
}
