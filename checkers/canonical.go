package checkers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sunder-dev/sunder/harness/history"
)

// canonicalOf gives values that are the same the same text: another tool may write spaces, escapes and numbers in
// another way, and fields in another order. It is empty for null and for nothing.
//
// Two numbers are the same if they are equal: 1, 1.0 and 1e0 are. Halves of surrogate pairs are different characters,
// although no Unicode text has them. It reports false for a value with a number that is too large or too small to be
// compared: see [maxExponent].
func canonicalOf(v history.Value) (text string, ok bool) {
	if _, numeral := v.Numeral(); numeral {
		return string(v.Text()), true
	}
	w := canon{in: v.Text()}
	if w.value(); string(w.out) == "null" {
		return "", true
	}
	return string(w.out), !w.extreme
}

// canon writes valid JSON anew.
type canon struct {
	in  []byte
	pos int
	out []byte
	// extreme is set by a number with an exponent beyond [maxExponent].
	extreme bool
}

// maxExponent is the greatest exponent, of either sign, of a number that is compared.
const maxExponent = 1_000_000

func (c *canon) space() {
	for c.pos < len(c.in) && strings.IndexByte(" \t\r\n", c.in[c.pos]) >= 0 {
		c.pos++
	}
}

// here returns the next byte that is no space, or 0 at the end.
func (c *canon) here() byte {
	if c.space(); c.pos < len(c.in) {
		return c.in[c.pos]
	}
	return 0
}

func (c *canon) value() {
	switch c.here() {
	case 0:
	case '{':
		c.object()
	case '[':
		c.pos++
		c.out = append(c.out, '[')
		for c.here() != ']' && c.pos < len(c.in) {
			c.value()
			if c.here() == ',' {
				c.pos++
				c.out = append(c.out, ',')
			}
		}
		c.pos++
		c.out = append(c.out, ']')
	case '"':
		c.out = appendString(c.out, c.text())
	case 't', 'f', 'n':
		start := c.pos
		for c.pos < len(c.in) && c.in[c.pos] >= 'a' && c.in[c.pos] <= 'z' {
			c.pos++
		}
		c.out = append(c.out, c.in[start:c.pos]...)
	default:
		start := c.pos
		for c.pos < len(c.in) && strings.IndexByte("+-.eE0123456789", c.in[c.pos]) >= 0 {
			c.pos++
		}
		c.number(string(c.in[start:c.pos]))
		if c.pos == start {
			c.pos = len(c.in) // it is no JSON
		}
	}
}

func (c *canon) object() {
	type field struct{ name, value string }
	var fields []field
	c.pos++
	for c.here() == '"' {
		name := string(appendString(nil, c.text()))
		c.here()
		c.pos++ // the colon
		inner := canon{in: c.in, pos: c.pos}
		inner.value()
		c.pos = inner.pos
		fields = append(fields, field{name, string(inner.out)})
		c.extreme = c.extreme || inner.extreme
		if c.here() == ',' {
			c.pos++
			c.here()
		}
	}
	c.here()
	c.pos++
	slices.SortStableFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	c.out = append(c.out, '{')
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].name == f.name {
			continue // the last one of a name counts, as it does for most readers of JSON
		}
		if c.out[len(c.out)-1] != '{' {
			c.out = append(c.out, ',')
		}
		c.out = append(append(append(c.out, f.name...), ':'), f.value...)
	}
	c.out = append(c.out, '}')
}

// text reads a string as UTF-16 code units, in which halves of surrogate pairs are what they are.
func (c *canon) text() (units []uint16) {
	for c.pos++; c.pos < len(c.in) && c.in[c.pos] != '"'; {
		if c.in[c.pos] != '\\' {
			r, size := utf8.DecodeRune(c.in[c.pos:])
			units = utf16.AppendRune(units, r)
			c.pos += size
			continue
		}
		c.pos++
		switch e := c.in[min(c.pos, len(c.in)-1)]; e {
		case 'u':
			n, _ := strconv.ParseUint(string(c.in[min(c.pos+1, len(c.in)):min(c.pos+5, len(c.in))]), 16, 16)
			units = append(units, uint16(n))
			c.pos += 4
		default:
			if i := strings.IndexByte("bfnrt", e); i >= 0 {
				e = "\b\f\n\r\t"[i]
			}
			units = append(units, uint16(e))
		}
		c.pos++
	}
	c.pos++
	return units
}

// appendString writes a string with as few escapes as there must be.
func appendString(out []byte, units []uint16) []byte {
	out = append(out, '"')
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) && i+1 < len(units) {
			if whole := utf16.DecodeRune(r, rune(units[i+1])); whole != utf8.RuneError {
				out = utf8.AppendRune(out, whole)
				i++
				continue
			}
		}
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ' || utf16.IsSurrogate(r):
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// maxPlainZeros is up to how many zeros a number is written without an exponent.
const maxPlainZeros = 18

// number writes a number in the one way that all equal to it are written in: an integer if it is a short one, and
// else its digits without zeros at their ends, and a power of ten.
func (c *canon) number(text string) {
	if !json.Valid([]byte(text)) {
		c.out = append(c.out, text...)
		return
	}
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, scaled := strings.Cut(strings.ReplaceAll(rest, "E", "e"), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		c.out = append(c.out, '0')
		return
	}
	power := 0
	if scaled {
		n, err := strconv.Atoi(exponent)
		c.extreme = c.extreme || err != nil || n > maxExponent || n < -maxExponent
		power = n
	}
	power -= len(fraction)
	short := strings.TrimRight(digits, "0")
	power += len(digits) - len(short)
	if negative {
		c.out = append(c.out, '-')
	}
	c.out = append(c.out, short...)
	if power >= 0 && len(short)+power <= maxPlainZeros {
		c.out = append(c.out, strings.Repeat("0", power)...)
		return
	}
	c.out = strconv.AppendInt(append(c.out, 'e'), int64(power), 10)
}
