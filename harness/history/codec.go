package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The codec is written by hand for this one line format, because it, and not the checker, decides
// how long a check of a large history takes (see BenchmarkDecode, and ARCHITECTURE.md for what
// libraries do). Lines as we write them ourselves take a short way; others the long one.

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

// The fields of a line, as bits: a field that comes twice or is missing is an error, since a
// history that is read wrongly gives a wrong verdict.
const (
	fieldIndex = 1 << iota
	fieldAt
	fieldProcess
	fieldKind
	fieldF
	fieldNode
	fieldKey
	fieldValue
	fieldErr
	fieldVersion
	fieldRevision
	fieldTerm

	fieldsRequired = fieldAt | fieldProcess | fieldKind | fieldF
)

var fieldNames = [...]struct {
	name string
	bit  int
}{
	{"index", fieldIndex}, {"at", fieldAt}, {"process", fieldProcess}, {"kind", fieldKind}, {"f", fieldF},
	{"node", fieldNode}, {"key", fieldKey}, {"value", fieldValue}, {"err", fieldErr},
	{"version", fieldVersion}, {"revision", fieldRevision}, {"term", fieldTerm},
}

func fieldOf(name []byte) int {
	for _, f := range fieldNames {
		if f.name == string(name) {
			return f.bit
		}
	}
	return 0
}

// raw is a decoded line. Its byte slices point into the line, or are freshly unescaped.
type raw struct {
	index, at, process int64
	kind               Kind
	f, node, key, err  []byte
	value              []byte
	stamp              Stamp
	has                int
}

var errLine = errors.New("not a history event")

// decode parses one line (without its newline) into r.
func decode(line []byte, r *raw) error {
	if decodeOwn(line, r) {
		return nil
	}
	return decodeAny(line, r)
}

func decodeAny(line []byte, r *raw) error {
	*r = raw{}
	d := decoder{buf: line}
	if !d.eat('{') {
		return fmt.Errorf("%w: a line is one JSON object, and this one starts with %s", errLine, d.here())
	}
	for first := true; ; first = false {
		if d.eat('}') {
			break
		}
		if !first && !d.eat(',') {
			return fmt.Errorf("%w: expected ',' or '}' at column %d, found %s", errLine, d.pos+1, d.here())
		}
		name, err := d.str()
		if err != nil {
			return fmt.Errorf("%w: field name: %w", errLine, err)
		}
		bit := fieldOf(name)
		switch {
		case bit == 0:
			return fmt.Errorf("%w: unknown field %q", errLine, name)
		case r.has&bit != 0:
			return fmt.Errorf("%w: field %q comes twice", errLine, name)
		case !d.eat(':'):
			return fmt.Errorf("%w: expected ':' after %q at column %d, found %s", errLine, name, d.pos+1, d.here())
		}
		r.has |= bit
		if err := d.field(bit, r); err != nil {
			return fmt.Errorf("%w: field %q: %w", errLine, name, err)
		}
	}
	if d.space(); d.pos != len(d.buf) {
		return fmt.Errorf("%w: more after the closing brace at column %d: %s", errLine, d.pos+1, d.here())
	}
	if missing := fieldsRequired &^ r.has; missing != 0 {
		for _, f := range fieldNames {
			if f.bit&missing != 0 {
				return fmt.Errorf("%w: field %q is missing", errLine, f.name)
			}
		}
	}
	return nil
}

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

func (d *decoder) field(bit int, r *raw) (err error) {
	switch bit {
	case fieldIndex:
		r.index, err = d.integer(0, math.MaxInt32)
	case fieldAt:
		r.at, err = d.integer(0, int64(Never)-1)
	case fieldProcess:
		r.process, err = d.integer(Controller, math.MaxInt32)
	case fieldKind:
		var name []byte
		if name, err = d.str(); err == nil {
			var ok bool
			if r.kind, ok = kindOf(name); !ok {
				err = fmt.Errorf("%q is none of invoke, ok, fail, info, note", name)
			}
		}
	case fieldF:
		if r.f, err = d.str(); err == nil && len(r.f) == 0 {
			err = errors.New("is empty")
		}
	case fieldNode:
		r.node, err = d.str()
	case fieldKey:
		r.key, err = d.str()
	case fieldErr:
		r.err, err = d.str()
	case fieldValue:
		r.value, err = d.any()
	case fieldVersion:
		r.stamp.Version, err = d.natural()
	case fieldRevision:
		r.stamp.Revision, err = d.natural()
	case fieldTerm:
		r.stamp.Term, err = d.natural()
	}
	return err
}

func (r *raw) event() Event {
	return Event{
		Index: int(r.index), At: time.Duration(r.at), Process: int(r.process), Kind: r.kind,
		F: string(r.f), Node: string(r.node), Key: string(r.key), Value: bytes.Clone(r.value), Err: string(r.err), Stamp: r.stamp,
	}
}

// decoder scans one line of JSON.
type decoder struct {
	buf []byte
	pos int
}

func (d *decoder) space() {
	for d.pos < len(d.buf) {
		switch d.buf[d.pos] {
		case ' ', '\t', '\r':
			d.pos++
		default:
			return
		}
	}
}

func (d *decoder) eat(c byte) bool {
	d.space()
	if d.pos < len(d.buf) && d.buf[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

// here says what stands at the current position, for error messages.
func (d *decoder) here() string {
	d.space()
	if d.pos >= len(d.buf) {
		return "the end of the line"
	}
	rest := d.buf[d.pos:]
	return strconv.QuoteToASCII(string(rest[:min(len(rest), 12)]))
}

// natural returns a number as stamps have them.
func (d *decoder) natural() (uint64, error) {
	n, err := d.integer(0, math.MaxInt64)
	return uint64(n), err
}

func (d *decoder) integer(low, high int64) (int64, error) {
	d.space()
	start := d.pos
	negative := d.pos < len(d.buf) && d.buf[d.pos] == '-'
	if negative {
		d.pos++
	}
	digits := d.pos
	var n int64
	for d.pos < len(d.buf) {
		c := d.buf[d.pos] - '0'
		if c > 9 {
			break
		}
		if n > (math.MaxInt64-9)/10 {
			return 0, errors.New("the number is too large")
		}
		n = n*10 + int64(c)
		d.pos++
	}
	switch {
	case d.pos == digits:
		return 0, fmt.Errorf("expected an integer, found %s", d.here())
	case d.buf[digits] == '0' && d.pos-digits > 1:
		return 0, fmt.Errorf("%s has a leading zero", d.buf[start:d.pos])
	case d.pos < len(d.buf) && (d.buf[d.pos] == '.' || d.buf[d.pos]|0x20 == 'e'):
		return 0, fmt.Errorf("expected an integer, found %s", d.buf[start:])
	}
	if negative {
		n = -n
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is not within %d and %d", n, low, high)
	}
	return n, nil
}

// str returns the string at the current position, unescaped.
func (d *decoder) str() ([]byte, error) {
	if !d.eat('"') {
		return nil, fmt.Errorf("expected a string, found %s", d.here())
	}
	start := d.pos
	plain := true
	for d.pos < len(d.buf) {
		switch c := d.buf[d.pos]; {
		case c == '"':
			s := d.buf[start:d.pos]
			d.pos++
			if plain {
				return s, nil
			}
			var unescaped string
			if err := json.Unmarshal(d.buf[start-1:d.pos], &unescaped); err != nil {
				return nil, err
			}
			return []byte(unescaped), nil
		case c == '\\':
			plain = false
			d.pos += 2
		case c < ' ':
			return nil, fmt.Errorf("control character %#02x in a string", c)
		default:
			if c >= utf8.RuneSelf {
				plain = false // let encoding/json judge the UTF-8
			}
			d.pos++
		}
	}
	return nil, errors.New("the string does not end")
}

// any returns the JSON value at the current position as it stands.
func (d *decoder) any() ([]byte, error) {
	d.space()
	start := d.pos
	if d.pos < len(d.buf) && d.buf[d.pos] == '"' {
		if _, err := d.str(); err != nil {
			return nil, err
		}
		return d.buf[start:d.pos], nil
	}
	simple := true // digits only: by far the most common value, and valid as it is
	depth := 0
scan:
	for d.pos < len(d.buf) {
		switch c := d.buf[d.pos]; c {
		case '{', '[':
			depth++
			simple = false
		case '}', ']':
			if depth == 0 {
				break scan
			}
			depth--
		case ',':
			if depth == 0 {
				break scan
			}
		case '"':
			simple = false
			if _, err := d.str(); err != nil {
				return nil, err
			}
			continue
		default:
			if c < '0' || c > '9' {
				simple = false
			}
		}
		d.pos++
	}
	v := bytes.TrimRight(d.buf[start:d.pos], " \t\r")
	if simple && len(v) > 0 && (v[0] != '0' || len(v) == 1) {
		return v, nil
	}
	if !json.Valid(v) {
		return nil, fmt.Errorf("%q is not JSON", v)
	}
	return v, nil
}

// Pair returns the two elements of a JSON array of two, as they stand; a compare-and-set has such a value.
func Pair(value json.RawMessage) (first, second json.RawMessage, ok bool) {
	d := decoder{buf: value}
	var err error
	if !d.eat('[') {
		return nil, nil, false
	}
	if first, err = d.any(); err != nil || !d.eat(',') {
		return nil, nil, false
	}
	if second, err = d.any(); err != nil || !d.eat(']') {
		return nil, nil, false
	}
	d.space()
	return first, second, d.pos == len(value)
}
