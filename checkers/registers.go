package checkers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"

	"github.com/sunder-dev/sunder/checkers/register"
	"github.com/sunder-dev/sunder/harness/history"
)

// keyed is what clients did to one key, ready to be checked. The IDs of its operations are the
// indices of their invocations.
type keyed struct {
	name string
	ops  []register.Op
	values
}

// registers sorts a history's operations by key, in the order of their first calls. It leaves out what
// says nothing: what failed, and reads without an answer. A compare-and-set of which the target said
// that it found another value stays, as the observation that it is.
func registers(h *history.History) ([]*keyed, error) {
	var keys []*keyed
	byName := make(map[string]*keyed)
	var last *keyed
	for o := range h.Ops() {
		if last == nil || last.name != o.Call.Key {
			if last = byName[o.Call.Key]; last == nil {
				last = &keyed{name: o.Call.Key}
				byName[last.name] = last
				keys = append(keys, last)
			}
		}
		if err := last.add(&o); err != nil {
			return nil, err
		}
	}
	kept := keys[:0]
	for _, k := range keys {
		if len(k.ops) > 0 {
			kept = append(kept, k)
		}
	}
	return kept, nil
}

// add takes an operation in, if it says something.
func (k *keyed) add(o *history.Op) error {
	call, answer := &o.Call, &o.Return
	op := register.Op{Call: int64(call.At), Return: int64(answer.At), ID: uint32(call.Index)}
	if answer.Kind == history.OK {
		op.Version = answer.Stamp.Version
	}
	switch call.F {
	case "read":
		if answer.Kind != history.OK {
			return nil
		}
		op.Action, op.Value = register.Read, k.id(answer.Value)
	case "write", "delete":
		if answer.Kind == history.Fail {
			return nil
		}
		op.Action = register.Write
		if call.F == "write" {
			op.Value = k.id(call.Value)
		}
	case "cas":
		old, value, ok := history.Pair(call.Value)
		if !ok {
			return fmt.Errorf("event %d: a cas has the value [old, new], not %s", call.Index, clip(string(call.Value), maxText))
		}
		if answer.Kind == history.Fail && answer.Err != history.Mismatch {
			return nil
		}
		op.Action, op.Old, op.Value = register.Swap, k.id(old), k.id(value)
		if answer.Kind == history.Fail {
			op.Action, op.Value = register.Differ, register.Absent
			// A value that was found is as good as one that was read; but one that is what was
			// looked for is no other one, whatever the target says.
			if found := k.id(answer.Value); len(answer.Value) > 0 && found != op.Old {
				op.Action, op.Value, op.Old, op.Version = register.Read, found, register.Absent, answer.Stamp.Version
			}
		}
	default:
		return fmt.Errorf("event %d: a register has no operation %q", call.Index, call.F)
	}
	k.ops = append(k.ops, op)
	return nil
}

// describe says what an operation did: "write 3", "read -> 4", "cas 3 -> 4".
func describe(o history.Op) string {
	text := func(v json.RawMessage) string {
		if len(v) == 0 {
			return "null"
		}
		return string(v)
	}
	switch o.Call.F {
	case "read":
		return "read -> " + text(o.Return.Value)
	case "cas":
		old, value, _ := history.Pair(o.Call.Value)
		switch {
		case o.Return.Kind != history.Fail:
			return "cas " + text(old) + " -> " + text(value)
		case len(o.Return.Value) > 0:
			return "cas " + text(old) + " found " + text(o.Return.Value)
		default:
			return "cas " + text(old) + " -> " + text(value) + " found another value"
		}
	case "delete":
		return "delete"
	default:
		return o.Call.F + " " + text(o.Call.Value)
	}
}

// values numbers JSON texts in the order in which they come. It keeps no copies, and is a table of its own
// because a map of half a million strings takes longer than the check.
type values struct {
	texts []json.RawMessage
	table []uint32 // numbers, where the hash says; 0 is an empty place, as null is never looked up
	seed  maphash.Seed
}

// id returns the number of a value. Nothing, and null, is what an absent key holds.
func (v *values) id(text json.RawMessage) register.Value {
	if len(text) == 0 || string(text) == "null" {
		return register.Absent
	}
	text = canonical(text)
	if len(v.texts) == 0 {
		v.seed = maphash.MakeSeed()
		v.texts = append(v.texts, json.RawMessage("null"))
	}
	if 2*len(v.texts) >= len(v.table) {
		v.table = make([]uint32, max(16, 2*len(v.table)))
		for i := 1; i < len(v.texts); i++ {
			*v.find(v.texts[i]) = uint32(i)
		}
	}
	place := v.find(text)
	if *place == 0 {
		*place = uint32(len(v.texts))
		v.texts = append(v.texts, text)
	}
	return register.Value(*place)
}

// text returns the value of a number.
func (v *values) text(of register.Value) string {
	if of == register.Absent {
		return "null"
	}
	return string(v.texts[of])
}

func (v *values) find(text []byte) *uint32 {
	for i := maphash.Bytes(v.seed, text); ; i++ {
		place := &v.table[i&uint64(len(v.table)-1)]
		if *place == 0 || bytes.Equal(v.texts[*place], text) {
			return place
		}
	}
}

// canonical gives values that are the same the same text: another tool may write spaces and escapes that
// we do not. Numbers stay as they are written.
func canonical(text json.RawMessage) json.RawMessage {
	if c := text[0]; c != '{' && c != '[' && c != '"' || c == '"' && bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return text
	}
	var again bytes.Buffer
	e := json.NewEncoder(&again)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return text
	}
	// Halves of surrogate pairs are different values, which decoding makes one of.
	if bytes.Contains(again.Bytes(), []byte("\ufffd")) {
		return text
	}
	return unescapeSeparators(bytes.TrimSuffix(again.Bytes(), []byte("\n")))
}

// unescapeSeparators undoes the one escape that encoding/json makes of what need not be escaped.
func unescapeSeparators(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(`\u2028`), []byte("\u2028"))
	return bytes.ReplaceAll(text, []byte(`\u2029`), []byte("\u2029"))
}
