package history

import (
	"encoding/binary"
	"encoding/json"
)

// symbols numbers strings: the same few node names, operations and keys come a million times.
type symbols struct {
	texts []string
	ids   map[string]uint32
	// recent are strings that came lately, by a rough hash.
	recent [1 << recentBits]recentSymbol
}

// recentBits makes recent a table of 128 KiB: thousands of keys have room in it, and it fits a processor's second
// cache.
const recentBits = 13

// recentSymbol is a string's end and its length, which are all of it if it is short, and its number.
type recentSymbol struct {
	tail       uint64
	length, id uint32
}

func (s *symbols) id(name []byte) uint32 {
	if len(name) == 0 {
		return 0
	}
	if s.ids == nil {
		s.ids = map[string]uint32{"": 0}
		s.texts = []string{""}
	}
	tail := tailOf(name)
	recent := &s.recent[tail*0x9e3779b97f4a7c15>>(64-recentBits)]
	if recent.tail == tail && int(recent.length) == len(name) && (len(name) <= 8 || s.texts[recent.id] == string(name)) {
		return recent.id
	}
	id, ok := s.ids[string(name)] // no allocation: the compiler sees a look-up only
	if !ok {
		id = uint32(len(s.texts))
		s.texts = append(s.texts, string(name))
		s.ids[s.texts[id]] = id
	}
	if len(name) <= maxLine {
		*recent = recentSymbol{tail, uint32(len(name)), id}
	}
	return id
}

// since returns the strings from number n on.
func (s *symbols) since(n int) []string {
	if n >= len(s.texts) {
		return nil
	}
	return s.texts[n:]
}

// tailOf returns the last eight bytes, or all if there are fewer.
func tailOf(name []byte) (tail uint64) {
	if len(name) >= 8 {
		return binary.LittleEndian.Uint64(name[len(name)-8:])
	}
	for _, c := range name {
		tail = tail<<8 | uint64(c)
	}
	return tail
}

func (s *symbols) text(id uint32) string {
	if id == 0 {
		return ""
	}
	return s.texts[id]
}

// arena keeps texts back to back in chunks that never move.
type arena struct{ chunks [][]byte }

const (
	arenaChunk = 1 << 20
	// A place in an arena: chunk, offset and length. No line, and so no text, is longer than maxLine.
	lengthBits = 24
	offsetBits = 24
)

func (a *arena) add(text []byte) (place uint64) {
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < len(text) {
		a.chunks = append(a.chunks, make([]byte, 0, max(arenaChunk, len(text))))
		last++
	}
	place = uint64(last)<<(offsetBits+lengthBits) | uint64(len(a.chunks[last]))<<lengthBits | uint64(len(text))
	a.chunks[last] = append(a.chunks[last], text...)
	return place
}

func (a *arena) get(place uint64) json.RawMessage {
	n := place & (1<<lengthBits - 1)
	from := place >> lengthBits & (1<<offsetBits - 1)
	return a.chunks[place>>(offsetBits+lengthBits)][from : from+n : from+n]
}

// clear forgets all texts and keeps the room for them.
func (a *arena) clear() {
	if len(a.chunks) > 0 {
		a.chunks = a.chunks[:1]
		a.chunks[0] = a.chunks[0][:0]
	}
}
