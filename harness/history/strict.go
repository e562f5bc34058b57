package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// once reads a note that comes once.
func once[T any](into **T, f string, value json.RawMessage, required ...string) error {
	v, err := Strictly[T](value, required...)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", f, err)
	case *into != nil:
		return fmt.Errorf("%s comes twice", f)
	}
	*into = &v
	return nil
}

// known remembers what texts were read as: nodes say the same things again and again.
type known[T any] struct {
	last  json.RawMessage
	value T
	all   map[string]T
}

// maxKnown bounds how many values are remembered.
const maxKnown = 1 << 12

func (k *known[T]) read(v Value, required ...string) (T, error) {
	text := v.Text()
	if len(text) > 0 && bytes.Equal(text, k.last) {
		return k.value, nil
	}
	value, ok := k.all[string(text)]
	if !ok {
		var err error
		if value, err = Strictly[T](text, required...); err != nil {
			return value, err
		}
		if k.all == nil {
			k.all = make(map[string]T)
		}
		if len(k.all) < maxKnown {
			k.all[string(text)] = value
		}
	}
	k.last, k.value = text, value
	return value, nil
}

// Strictly decodes a JSON object and takes nothing that it does not know: neither an unknown field, nor a known one
// in other letters, nor one that comes twice. The required ones must be there.
func Strictly[T any](text json.RawMessage, required ...string) (v T, err error) {
	if len(text) == 0 {
		return v, errors.New("there is no value")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: %w", clipped(text), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return v, fmt.Errorf("%s: there is more after it", clipped(text))
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Struct {
		if string(bytes.TrimSpace(text)) == "null" {
			return v, errors.New("null is no value of it")
		}
		return v, fieldsOnce(text, t, required)
	}
	return v, nil
}

// fieldsOnce says whether the fields of an object are those of a type, each once and letter by letter, and the
// required ones are among them.
func fieldsOnce(text json.RawMessage, t reflect.Type, required []string) error {
	known := make(map[string]bool)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if !known[name] {
			return fmt.Errorf("%s: field %s is unknown, or comes twice", clipped(text), quote(name))
		}
		known[name] = false
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	for _, name := range required {
		if known[name] {
			return fmt.Errorf("%s: field %s is missing", clipped(text), quote(name))
		}
	}
	return nil
}

// maxQuoted bounds what is said of a foreign text.
const maxQuoted = 80

func clipped(text json.RawMessage) string {
	if len(text) > maxQuoted {
		return quote(string(text[:maxQuoted]) + "…")
	}
	return quote(string(text))
}

// quote writes a foreign text so that it is taken for nothing else.
func quote(text string) string {
	if len(text) > maxQuoted+len("…") {
		text = text[:maxQuoted] + "…"
	}
	return fmt.Sprintf("%q", text)
}
