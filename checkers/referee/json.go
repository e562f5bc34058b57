package referee

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// SameJSON says whether two JSON texts are the same value: spaces, escapes, the order of fields and the way in which a
// number is written do not matter. Nothing is null. What is no JSON equals only itself.
func SameJSON(a, b json.RawMessage) bool {
	switch {
	case bytes.Equal(a, b):
		return true
	case isNumeral(a) && isNumeral(b):
		return false
	}
	x, okX := decodeJSON(a)
	y, okY := decodeJSON(b)
	return okX && okY && sameValue(x, y)
}

// isNumeral says whether a text is a natural number in the one way to write it without a dot or an exponent.
func isNumeral(text json.RawMessage) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0 && (text[0] != '0' || len(text) == 1)
}

func decodeJSON(text json.RawMessage) (v any, ok bool) {
	if len(text) == 0 {
		return nil, true
	}
	d := json.NewDecoder(strings.NewReader(keepHalves(string(text))))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

// escapes finds escapes one after the other: pairs of surrogates, halves of such pairs, and others.
var escapes = regexp.MustCompile(
	`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.`,
)

// keepHalves keeps halves of surrogate pairs apart, which encoding/json all makes one character of.
func keepHalves(text string) string {
	if !strings.Contains(text, `\u`) {
		return text
	}
	return escapes.ReplaceAllStringFunc(text, func(escape string) string {
		if len(escape) == 6 {
			return `\u0000half ` + strings.ToLower(escape[2:])
		}
		return escape
	})
}

func sameValue(x, y any) bool {
	switch x := x.(type) {
	case json.Number:
		y, ok := y.(json.Number)
		return ok && decimalOf(string(x)) == decimalOf(string(y))
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameValue(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name, v := range x {
			if w, there := y[name]; !there || !sameValue(v, w) {
				return false
			}
		}
		return true
	default: // nil, bool, string
		return x == y
	}
}

// decimal is a number: digits without zeros at their ends, times ten to a power.
type decimal struct {
	negative bool
	digits   string
	power    int64
	text     string // if the power cannot be read: the number is the same as itself only
}

func decimalOf(text string) (d decimal) {
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(rest), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.power = -int64(len(fraction))
	d.digits = strings.TrimLeft(whole+fraction, "0")
	if d.digits == "" {
		return decimal{}
	}
	if exponent != "" {
		n, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return decimal{text: text}
		}
		d.power += n
	}
	short := strings.TrimRight(d.digits, "0")
	d.power += int64(len(d.digits) - len(short))
	d.digits, d.negative = short, negative
	return d
}
