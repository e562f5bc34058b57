package history

import (
	"encoding/binary"
	"encoding/json"
)

// symbols numbers strings: the same few node names, operations and keys come a million times.
type symbols struct {
	texts []string
	ids   map[string]uint32
	// recent are numbers that came lately, by a rough hash.
	recent [1024]uint32
}

func (s *symbols) id(name []byte) uint32 {
	if len(name) == 0 {
		return 0
	}
	if s.ids == nil {
		s.ids = map[string]uint32{"": 0}
		s.texts = []string{""}
	}
	recent := &s.recent[roughly(name)]
	if s.texts[*recent] == string(name) {
		return *recent
	}
	id, ok := s.ids[string(name)] // no allocation: the compiler sees a look-up only
	if !ok {
		id = uint32(len(s.texts))
		s.texts = append(s.texts, string(name))
		s.ids[s.texts[id]] = id
	}
	*recent = id
	return id
}

// since returns the strings from number n on.
func (s *symbols) since(n int) []string {
	if n >= len(s.texts) {
		return nil
	}
	return s.texts[n:]
}

// roughly is a hash of the last eight bytes, of ten bits.
func roughly(name []byte) uint64 {
	var tail uint64
	if len(name) >= 8 {
		tail = binary.LittleEndian.Uint64(name[len(name)-8:])
	} else {
		for _, c := range name {
			tail = tail<<8 | uint64(c)
		}
	}
	return tail * 0x9e3779b97f4a7c15 >> 54
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
