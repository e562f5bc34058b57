package jepsen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads EDN (github.com/edn-format/edn) and makes JSON of it. It is written by hand since Jepsen's files
// have what the one library for Go refuses (tagged maps, #object[… 0x1f …]), and a million operations.
type scanner struct {
	buf    []byte
	pos    int
	depth  int
	values []byte            // room for values that are kept
	names  map[string]string // keywords that were met

	processes processes
}

// maxDepth bounds how deep values may be nested.
const maxDepth = 200

// space skips what means nothing: blanks, commas, comments, and forms behind #_.
func (s *scanner) space() error {
	for s.pos < len(s.buf) {
		switch c := s.buf[s.pos]; {
		case c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r':
			s.pos++
		case c == ';':
			if end := bytes.IndexByte(s.buf[s.pos:], '\n'); end >= 0 {
				s.pos += end
			} else {
				s.pos = len(s.buf)
			}
		case c == '#' && s.pos+1 < len(s.buf) && s.buf[s.pos+1] == '_':
			s.pos += 2
			if _, err := s.value(nil); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// more reports whether anything is left.
func (s *scanner) more() (bool, error) {
	err := s.space()
	return s.pos < len(s.buf), err
}

// eat skips c if it is next.
func (s *scanner) eat(c byte) (bool, error) {
	if more, err := s.more(); err != nil || !more || s.buf[s.pos] != c {
		return false, err
	}
	s.pos++
	return true, nil
}

var errEnd = errors.New("the text ends in the middle of a form")

// value appends the next form to dst as JSON.
func (s *scanner) value(dst []byte) ([]byte, error) {
	if s.depth++; s.depth > maxDepth {
		return nil, fmt.Errorf("forms are nested more than %d deep", maxDepth)
	}
	defer func() { s.depth-- }()
	more, err := s.more()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, errEnd
	}
	switch c := s.buf[s.pos]; c {
	case '[':
		s.pos++
		return s.list(dst, ']')
	case '(':
		s.pos++
		return s.list(dst, ')')
	case '{':
		s.pos++
		return s.object(dst)
	case '"':
		return s.text(dst)
	case '\\':
		s.pos++
		_, size := utf8.DecodeRune(s.buf[s.pos:])
		start := s.pos
		s.pos += size
		s.token()
		return appendText(dst, `\`+string(s.buf[start:s.pos])), nil
	case '#':
		s.pos++
		if set, _ := s.eat('{'); set {
			return s.set(dst)
		}
		if s.pos < len(s.buf) && s.buf[s.pos] == '#' { // ##Inf, ##NaN
			s.pos++
			return appendText(dst, "##"+string(s.token())), nil
		}
		if tag := s.token(); len(tag) == 0 {
			return nil, s.unexpected()
		}
		return s.value(dst) // the tag says what kind of a thing it is; two that are equal have the same one
	default:
		token := s.token()
		if len(token) == 0 {
			return nil, s.unexpected()
		}
		if natural(token) {
			return append(dst, token...), nil
		}
		return appendAtom(dst, string(token)), nil
	}
}

// natural reports whether a text is a number as JSON has them too, of digits only.
func natural(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0 && (text[0] != '0' || len(text) == 1)
}

func (s *scanner) unexpected() error {
	if s.pos >= len(s.buf) {
		return errEnd
	}
	r, _ := utf8.DecodeRune(s.buf[s.pos:])
	return fmt.Errorf("unexpected %q", r)
}

// token returns what stands up to the next delimiter.
func (s *scanner) token() []byte {
	start := s.pos
	for s.pos < len(s.buf) && !ends(s.buf[s.pos]) {
		s.pos++
	}
	return s.buf[start:s.pos]
}

// ends reports whether a token ends before c.
func ends(c byte) bool {
	switch c {
	case ' ', ',', '\n', '\t', '\r', '(', ')', '[', ']', '{', '}', '"', ';':
		return true
	}
	return false
}

// list appends the forms up to end.
func (s *scanner) list(dst []byte, end byte) ([]byte, error) {
	dst = append(dst, '[')
	for first := true; ; first = false {
		done, err := s.eat(end)
		if err != nil {
			return nil, err
		}
		if done {
			return append(dst, ']'), nil
		}
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = s.value(dst); err != nil {
			return nil, err
		}
	}
}

// set appends the forms up to the closing brace, sorted, so that equal sets have the same text.
func (s *scanner) set(dst []byte) ([]byte, error) {
	var items []string
	for {
		done, err := s.eat('}')
		if err != nil {
			return nil, err
		}
		if done {
			slices.Sort(items)
			return append(append(append(dst, '['), strings.Join(items, ",")...), ']'), nil
		}
		item, err := s.value(nil)
		if err != nil {
			return nil, err
		}
		items = append(items, string(item))
	}
}

// object appends a map, sorted by its keys.
func (s *scanner) object(dst []byte) ([]byte, error) {
	var items []string
	for {
		done, err := s.eat('}')
		if err != nil {
			return nil, err
		}
		if done {
			slices.Sort(items)
			return append(append(append(dst, '{'), strings.Join(items, ",")...), '}'), nil
		}
		key, err := s.value(nil)
		if err != nil {
			return nil, err
		}
		if key[0] != '"' {
			key = appendText(nil, string(key))
		}
		value, err := s.value(nil)
		if err != nil {
			return nil, err
		}
		items = append(items, string(key)+":"+string(value))
	}
}

// text appends a string.
func (s *scanner) text(dst []byte) ([]byte, error) {
	start := s.pos + 1
	for s.pos = start; s.pos < len(s.buf); s.pos++ {
		switch s.buf[s.pos] {
		case '\\':
			s.pos++
		case '"':
			raw := string(s.buf[start:s.pos])
			s.pos++
			if strings.IndexByte(raw, '\\') < 0 {
				return appendText(dst, raw), nil
			}
			plain, err := unescape(raw)
			if err != nil {
				return nil, err
			}
			return appendText(dst, plain), nil
		}
	}
	return nil, errEnd
}

// unescape knows EDN's escapes, which are not all of JSON's nor of Go's.
func unescape(raw string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			b.WriteByte(raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 't', 'r', 'n', 'b', 'f':
			b.WriteByte(map[byte]byte{'t': '\t', 'r': '\r', 'n': '\n', 'b': '\b', 'f': '\f'}[c])
		case '\\', '"':
			b.WriteByte(c)
		case 'u':
			if i+5 > len(raw) {
				return "", fmt.Errorf("%q is no character", raw[i-1:])
			}
			n, err := strconv.ParseUint(raw[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf("%q is no character", raw[i-1:i+5])
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			return "", fmt.Errorf(`"\%c" is no escape`, c)
		}
	}
	return b.String(), nil
}

func appendText(dst []byte, text string) []byte {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return append(append(append(dst, '"'), text...), '"')
	}
	quoted, _ := json.Marshal(text) // cannot fail for a string
	return append(dst, quoted...)
}

// appendAtom appends what is neither a collection nor a string. Keywords, symbols, and numbers that JSON has
// not, become strings.
func appendAtom(dst []byte, token string) []byte {
	switch token {
	case "nil":
		return append(dst, "null"...)
	case "true", "false":
		return append(dst, token...)
	}
	number := strings.TrimPrefix(token, "+")
	if trimmed := strings.TrimRight(number, "NM"); len(number)-len(trimmed) == 1 {
		number = trimmed // of any size, or of any precision
	}
	if number == "-0" {
		number = "0"
	}
	if json.Valid([]byte(number)) {
		return append(dst, number...)
	}
	return appendText(dst, token)
}
