package history

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Line returns the event as a line of a history file, with its newline.
func (e *Event) Line() []byte { return appendEvent(nil, e) }

// appendEvent appends e as one JSON line, with its newline.
func appendEvent(b []byte, e *Event) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(e.Index), 10)
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, int64(e.At), 10)
	b = append(b, `,"process":`...)
	b = strconv.AppendInt(b, int64(e.Process), 10)
	b = append(b, `,"kind":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, `","f":`...)
	b = appendString(b, e.F)
	if e.Node != "" {
		b = append(b, `,"node":`...)
		b = appendString(b, e.Node)
	}
	if e.Key != "" {
		b = append(b, `,"key":`...)
		b = appendString(b, e.Key)
	}
	if len(e.Value) > 0 {
		b = append(b, `,"value":`...)
		b = append(b, e.Value...)
	}
	if e.Err != "" {
		b = append(b, `,"err":`...)
		b = appendString(b, e.Err)
	}
	b = appendNumber(b, `,"version":`, e.Stamp.Version)
	b = appendNumber(b, `,"revision":`, e.Stamp.Revision)
	b = appendNumber(b, `,"term":`, e.Stamp.Term)
	return append(b, '}', '\n')
}

func appendNumber(b []byte, name string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, name...), n, 10)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // cannot fail for a string; replaces invalid UTF-8
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
