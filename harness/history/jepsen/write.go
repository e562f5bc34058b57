package jepsen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/sunder-dev/sunder/harness/history"
)

// WriteEDN writes the clients' operations of a history as Jepsen would have recorded them, one map a line. With
// a key it writes those on that key, for the models of a single register; without one the values are
// those of jepsen.independent, [key value], as soon as there is more than one key.
func WriteEDN(w io.Writer, h *history.History, key *string) error {
	keys := make(map[string]bool)
	for e := range h.Events() {
		if e.Process >= 0 && e.Kind == history.Invoke {
			keys[e.Key] = true
		}
	}
	if key != nil && !keys[*key] {
		return fmt.Errorf("no client touched the key %q", *key)
	}
	b := bufio.NewWriter(w)
	index := 0
	var line []byte
	// In Jepsen a completion repeats what was asked for.
	asked := make(map[int]history.Event)
	for e := range h.Events() {
		if e.Process < 0 {
			continue
		}
		if e.Kind == history.Invoke {
			asked[e.Process] = e
		}
		call := asked[e.Process]
		if e.Key = call.Key; key != nil && e.Key != *key { // a completion need not name it
			continue
		}
		value := e.Value
		switch {
		case e.Kind == history.Invoke:
		case e.Kind != history.OK || e.F != "read":
			value = call.Value
		}
		f := e.F
		if f == "delete" { // Knossos knows no such thing, and a register that holds nil is the same
			f, value = "write", nil
		}
		line = fmt.Appendf(
			line[:0],
			"{:index %d, :time %d, :type :%s, :process %d, :f :%s, :value ",
			index,
			e.At,
			e.Kind,
			e.Process,
			keyword(f),
		)
		if key == nil && len(keys) > 1 {
			line = append(appendText(append(line, '['), e.Key), ' ')
			line = append(appendEDN(line, value), ']')
		} else {
			line = appendEDN(line, value)
		}
		if e.Err != "" {
			line = appendText(append(line, ", :error "...), e.Err)
		}
		if e.Err == history.Mismatch { // that it says so at all sets ours apart from others' mismatches
			line = append(line, ", :found "...)
			if len(e.Value) > 0 {
				line = appendEDN(line, e.Value)
			} else {
				line = append(line, ":another"...)
			}
		}
		line = append(line, '}', '\n')
		if _, err := b.Write(line); err != nil {
			return err
		}
		index++
	}
	return b.Flush()
}

// keyword makes sure that a name is one word.
func keyword(f string) string {
	return string(bytes.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, []byte(f)))
}

// appendEDN appends a JSON value as EDN. What is no JSON, as an empty value, is nil.
func appendEDN(dst []byte, value json.RawMessage) []byte {
	if natural(value) {
		return append(dst, value...)
	}
	if first, second, ok := history.Pair(value); ok {
		return append(appendEDN(append(appendEDN(append(dst, '['), first), ' '), second), ']')
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return append(dst, "nil"...)
	}
	return appendForm(dst, v)
}

func appendForm(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "nil"...)
	case string:
		return appendText(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendForm(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendForm(append(appendText(dst, name), ' '), v[name])
		}
		return append(dst, '}')
	default:
		return fmt.Append(dst, v) // a number, true or false
	}
}
