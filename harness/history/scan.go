package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

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
			if !utf8.Valid(s) {
				return nil, errors.New("a string is not UTF-8")
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

// name returns a string that is no value: one with halves of surrogate pairs would become the same as others.
func (d *decoder) name() ([]byte, error) {
	start := d.pos
	s, err := d.str()
	if err == nil && bytes.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(d.buf[start:d.pos], utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(d.buf[start:d.pos]), []byte(`\ufffd`)) {
		return nil, errors.New("half of a surrogate pair in a string")
	}
	return s, err
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
