package history

import (
	"math"
	"unicode/utf8"
)

// decodeOwn parses a line that is written as appendEvent does. It reports false of any other: whether that
// is one at all is decode's to say.
func decodeOwn(line []byte, r *raw) bool {
	*r = raw{has: fieldIndex | fieldsRequired}
	d := own{buf: line, ok: true}
	d.literal(`{"index":`)
	r.index = d.number()
	d.literal(`,"at":`)
	r.at = d.number()
	d.literal(`,"process":`)
	negative := d.is('-')
	if r.process = d.number(); negative {
		r.process = -r.process
	}
	d.literal(`,"kind":`)
	r.kind, _ = kindOf(d.text())
	d.literal(`,"f":`)
	r.f = d.text()
	if d.has(`,"node":`) {
		r.node = d.text()
	}
	if d.has(`,"key":`) {
		r.key = d.text()
	}
	if d.has(`,"value":`) {
		r.value = d.value()
	}
	if d.has(`,"err":`) {
		r.err = d.text()
	}
	if d.has(`,"version":`) {
		r.stamp.Version = uint64(d.number())
	}
	if d.has(`,"revision":`) {
		r.stamp.Revision = uint64(d.number())
	}
	if d.has(`,"term":`) {
		r.stamp.Term = uint64(d.number())
	}
	d.literal(`}`)
	return d.ok && d.pos == len(line) && r.kind != 0 && len(r.f) > 0 && r.process >= Controller &&
		r.process <= math.MaxInt32 && r.index <= math.MaxInt32
}

// own is a decoder of what we write ourselves. After the first surprise ok is false, and nothing
// that it returns is of any worth.
type own struct {
	buf []byte
	pos int
	ok  bool
}

func (d *own) has(text string) bool {
	if end := d.pos + len(text); end <= len(d.buf) && string(d.buf[d.pos:end]) == text {
		d.pos = end
		return true
	}
	return false
}

func (d *own) literal(text string) { d.ok = d.has(text) && d.ok }

func (d *own) is(c byte) bool {
	if d.pos < len(d.buf) && d.buf[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

// number returns a number from 0 of at most 18 digits.
func (d *own) number() (n int64) {
	start := d.pos
	for d.pos < len(d.buf) && d.buf[d.pos]-'0' <= 9 {
		n = n*10 + int64(d.buf[d.pos]-'0')
		d.pos++
	}
	if digits := d.pos - start; digits == 0 || digits > 18 || digits > 1 && d.buf[start] == '0' {
		d.ok = false
	}
	return n
}

// text returns a string without escapes.
func (d *own) text() []byte {
	if !d.is('"') {
		d.ok = false
		return nil
	}
	for start := d.pos; d.pos < len(d.buf); d.pos++ {
		switch c := d.buf[d.pos]; {
		case c == '"':
			d.pos++
			return d.buf[start : d.pos-1]
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			d.ok = false
			return nil
		}
	}
	d.ok = false
	return nil
}

// value returns a number, or what the long way makes of anything else.
func (d *own) value() []byte {
	start := d.pos
	for d.pos < len(d.buf) && d.buf[d.pos]-'0' <= 9 {
		d.pos++
	}
	if d.pos > start && d.pos < len(d.buf) && (d.buf[d.pos] == '}' || d.buf[d.pos] == ',') && (d.buf[start] != '0' || d.pos == start+1) {
		return d.buf[start:d.pos]
	}
	long := decoder{buf: d.buf, pos: start}
	v, err := long.any()
	d.ok = d.ok && err == nil
	d.pos = long.pos
	return v
}
