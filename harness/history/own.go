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
	r.kind = d.kind()
	d.literal(`,"f":`)
	r.f = d.text()
	if d.has(`,"node":`) {
		r.node = d.text()
	}
	if d.has(`,"key":`) {
		r.key = d.text()
	}
	if d.has(`,"value":`) {
		d.value(r)
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
	for i := d.pos; i < len(d.buf); i++ {
		c := d.buf[i]
		if plain[c] {
			continue
		}
		if c != '"' {
			break
		}
		text := d.buf[d.pos:i]
		d.pos = i + 1
		return text
	}
	d.ok = false
	return nil
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (is [256]bool) {
	for c := range utf8.RuneSelf {
		is[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return is
}()

// value takes a number, or what the long way makes of anything else.
func (d *own) value(r *raw) {
	start := d.pos
	var n uint64
	for d.pos < len(d.buf) && d.buf[d.pos]-'0' <= 9 {
		n = n*10 + uint64(d.buf[d.pos]-'0')
		d.pos++
	}
	if digits := d.pos - start; digits > 0 && digits <= 18 && d.pos < len(d.buf) && (d.buf[d.pos] == '}' ||
		d.buf[d.pos] == ',') && (digits == 1 || d.buf[start] != '0') {
		r.value, r.number, r.form = d.buf[start:d.pos], n, numeral
		return
	}
	long := decoder{buf: d.buf, pos: start}
	v, err := long.any()
	d.ok = d.ok && err == nil
	d.pos = long.pos
	r.value = v
	r.number, r.form = pack(v)
}

// kind returns a kind by its first letters, which are all different, if the rest is right too.
func (d *own) kind() Kind {
	if d.pos+2 < len(d.buf) {
		switch d.buf[d.pos+2] {
		case 'n':
			if d.has(`"invoke"`) {
				return Invoke
			}
			if d.has(`"info"`) {
				return Info
			}
		case 'k':
			if d.has(`"ok"`) {
				return OK
			}
		case 'a':
			if d.has(`"fail"`) {
				return Fail
			}
		case 'o':
			if d.has(`"note"`) {
				return Note
			}
		}
	}
	d.ok = false
	return 0
}
