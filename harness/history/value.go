package history

import (
	"encoding/json"
	"strconv"
)

// Value is a JSON value in the form in which a history holds it. The numbers that workloads write are held as what
// they are, and everything else as its text: what is gained is that a million values need neither memory of their own
// nor parsing.
type Value struct {
	n     uint64 // of a literal: its place
	texts *arena
	form  form
}

// form says how a value is held.
type form uint8

const (
	nothing form = iota
	numeral      // n; of at most 18 digits
	pair         // [n>>32, n&0xffffffff], without spaces
	literal      // anything else
)

// Empty reports whether there is no value at all; null is one.
func (v Value) Empty() bool { return v.form == nothing }

// Numeral returns a value that is a natural number, written without a sign, a dot or an exponent.
func (v Value) Numeral() (n uint64, ok bool) { return v.n, v.form == numeral }

// Text returns the value as JSON, as it was written.
func (v Value) Text() json.RawMessage {
	switch v.form {
	case numeral:
		return strconv.AppendUint(nil, v.n, 10)
	case pair:
		b := strconv.AppendUint([]byte{'['}, v.n>>32, 10)
		return append(strconv.AppendUint(append(b, ','), v.n&0xffffffff, 10), ']')
	case literal:
		return v.texts.get(v.n)
	default:
		return nil
	}
}

// Literal reports whether the value is neither a natural number nor a pair of such: it must be parsed.
func (v Value) Literal() bool { return v.form == literal }

// Pair returns the elements of an array of two; a compare-and-set has such a value.
func (v Value) Pair() (first, second Value, ok bool) {
	switch v.form {
	case pair:
		return Value{form: numeral, n: v.n >> 32}, Value{form: numeral, n: v.n & 0xffffffff}, true
	case literal:
		a, b, ok := Pair(v.Text())
		return ValueOf(a), ValueOf(b), ok
	default:
		return Value{}, Value{}, false
	}
}

// ValueOf returns a JSON text as a value. It keeps the text.
func ValueOf(text json.RawMessage) Value {
	n, f := pack(text)
	v := Value{form: f, n: n}
	if f == literal {
		v.texts = &arena{chunks: [][]byte{text}}
		v.n = uint64(len(text))
	}
	return v
}

// pack returns a text as a number or two, if it is that.
func pack(b []byte) (uint64, form) {
	switch {
	case len(b) == 0:
		return 0, nothing
	case b[0] == '[':
		first, rest, ok := digits(b[1:])
		if !ok || first > 0xffffffff || len(rest) == 0 || rest[0] != ',' {
			return 0, literal
		}
		second, rest, ok := digits(rest[1:])
		if !ok || second > 0xffffffff || len(rest) != 1 || rest[0] != ']' {
			return 0, literal
		}
		return first<<32 | second, pair
	default:
		if n, rest, ok := digits(b); ok && len(rest) == 0 {
			return n, numeral
		}
		return 0, literal
	}
}

// digits reads a natural number of at most 18 digits and without leading zeros.
func digits(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		n = n*10 + uint64(b[i]-'0')
	}
	return n, b[i:], i > 0 && i <= 18 && (i == 1 || b[0] != '0')
}
