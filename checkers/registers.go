package checkers

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

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

// registers sorts a history's operations by key, in the order of their first calls. It leaves out what says nothing:
// what failed, and reads without an answer. A compare-and-set of which the target said that it found another value
// stays, as the observation that it is. Registers hold initial at first. What is no operation of a register is an
// error, but for the model register on keys that have no other.
func registers(h *history.History, initial json.RawMessage, model string) ([]*keyed, error) {
	passed := make([]bool, h.KeyIDs()) // keys that are of another model
	if model == modelRegister {
		foreign(h, passed)
	}
	var keys []*keyed
	byID := make([]*keyed, h.KeyIDs())
	start, ok := canonicalOf(history.ValueOf(initial))
	if !ok {
		return nil, fmt.Errorf("what registers hold at first, %s, %s", quoted(string(initial)), extremeNumber)
	}
	for c := range h.Calls() {
		if passed[c.KeyID()] {
			continue
		}
		k := byID[c.KeyID()]
		if k == nil {
			k = &keyed{name: c.Key(), values: values{initial: start}, ops: make([]register.Op, 0, h.CallsOf(c.KeyID()))}
			byID[c.KeyID()] = k
			keys = append(keys, k)
		}
		if err := k.add(c); err != nil {
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

// modelRegister is the model of linear.
const modelRegister = "register"

// foreign finds the keys on which there are operations, and none of a register's.
func foreign(h *history.History, keys []bool) {
	ours := make([]bool, len(keys))
	for c := range h.Calls() {
		switch c.F() {
		case "read", "write", "delete", "cas":
			ours[c.KeyID()] = true
		}
	}
	for i := range keys {
		keys[i] = !ours[i]
	}
}

// add takes an operation in, if it says something.
func (k *keyed) add(c history.Call) error {
	op := register.Op{Call: int64(c.Begin()), Return: int64(c.End()), ID: uint32(c.Index())}
	kind := c.Kind()
	if kind == history.OK {
		op.Version = c.Stamp().Version
	}
	switch f := c.F(); f {
	case "read":
		if kind != history.OK {
			return nil
		}
		op.Action, op.Value = register.Read, k.id(c.Answer())
	case "write", "delete":
		if kind == history.Fail {
			return nil
		}
		op.Action = register.Write
		if f == "write" {
			op.Value = k.id(c.Asked())
		} else {
			op.Value = k.id(history.Value{})
		}
	case "cas":
		old, value, ok := c.Asked().Pair()
		if !ok {
			return fmt.Errorf("event %d: a cas has the value [old, new], not %s", c.Index(), quoted(string(c.Asked().Text())))
		}
		if kind == history.Fail && c.Err() != history.Mismatch {
			return nil
		}
		op.Action, op.Old, op.Value = register.Swap, k.id(old), k.id(value)
		if kind == history.Fail {
			op.Action, op.Value = register.Differ, register.Absent
			// A value that was found is as good as one that was read; but one that is what was
			// looked for is no other one, whatever the target says.
			if answer := c.Answer(); !answer.Empty() {
				if found := k.id(answer); found != op.Old {
					op.Action, op.Value, op.Old, op.Version = register.Read, found, register.Absent, c.Stamp().Version
				}
			}
		}
	default:
		return fmt.Errorf("event %d: a register has no operation %s", c.Index(), quoted(f))
	}
	if k.odd != "" {
		return fmt.Errorf("event %d: the value %s", c.Index(), k.odd)
	}
	k.ops = append(k.ops, op)
	return nil
}

// looksLikeTransaction reports whether a value is a list of micro-operations, as Elle's workloads have them:
// [["append","x",1],["r","y",null]].
func looksLikeTransaction(text string) bool {
	var micro [][]json.RawMessage
	if !strings.HasPrefix(text, "[[") || json.Unmarshal([]byte(text), &micro) != nil || len(micro) == 0 {
		return false
	}
	for _, op := range micro {
		var f string
		if len(op) != 3 || json.Unmarshal(op[0], &f) != nil {
			return false
		}
		switch f {
		case "r", "w", "append", ":r", ":w", ":append":
		default:
			return false
		}
	}
	return true
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

// values numbers JSON values in the order in which they come; what registers hold at first is [register.Absent].
// Natural numbers, which nearly all values are, have a table of their own: a map of half a million takes longer than
// the check.
type values struct {
	initial string   // canonical; empty for null
	known   []uint64 // by number: a natural number, or isText and an index of texts
	texts   []string // canonical
	// table has the numbers of natural numbers, where the hash says; its size is a power of 2, and 0 is an empty place,
	// since what registers hold at first is never looked up.
	table []register.Value
	taken int
	ids   map[string]register.Value // of texts
	odd   string                    // a value that is none of a register, and why
}

// extremeNumber says why a value cannot be checked.
const extremeNumber = "has a number with an exponent beyond a million, which is not compared with others"

// isText marks what is known to be no natural number; those have at most 18 digits.
const isText = 1 << 63

// id returns the number of a value.
func (v *values) id(value history.Value) register.Value {
	if len(v.known) == 0 {
		v.start()
	}
	n, numeral := value.Numeral()
	if !numeral {
		text, ok := canonicalOf(value)
		if !ok {
			v.odd = quoted(string(value.Text())) + " " + extremeNumber
		}
		if n, numeral = history.ValueOf(json.RawMessage(text)).Numeral(); !numeral {
			return v.idOfText(text)
		}
	}
	if n == v.known[0] {
		return register.Absent
	}
	if 2*(v.taken+1) > len(v.table) {
		v.grow()
	}
	place := v.find(n)
	if *place == register.Absent {
		*place = register.Value(len(v.known))
		v.known = append(v.known, n)
		v.taken++
	}
	return *place
}

// start makes what registers hold at first known.
func (v *values) start() {
	n, numeral := history.ValueOf(json.RawMessage(v.initial)).Numeral()
	if !numeral {
		n = isText
		v.texts = append(v.texts, v.initial)
	}
	v.known = append(v.known, n)
}

func (v *values) idOfText(text string) register.Value {
	if text == v.initial {
		return register.Absent
	}
	id, ok := v.ids[text]
	if !ok {
		if looksLikeTransaction(text) {
			v.odd = quoted(text) + " looks like a transaction, and not like what a register holds"
		}
		if v.ids == nil {
			v.ids = make(map[string]register.Value)
		}
		id = register.Value(len(v.known))
		v.ids[text] = id
		v.known = append(v.known, isText|uint64(len(v.texts)))
		v.texts = append(v.texts, text)
	}
	return id
}

func (v *values) grow() {
	old := v.table
	v.table = make([]register.Value, max(16, 2*len(old)))
	for _, id := range old {
		if id != register.Absent {
			*v.find(v.known[id]) = id
		}
	}
}

// find returns the place of a natural number, or the empty one where it is to be.
func (v *values) find(n uint64) *register.Value {
	for i := n * 0x9e3779b97f4a7c15 >> 20; ; i++ {
		if place := &v.table[i&uint64(len(v.table)-1)]; *place == register.Absent || v.known[*place] == n {
			return place
		}
	}
}

// text returns the value of a number.
func (v *values) text(of register.Value) string {
	n := v.known[of]
	if n&isText == 0 {
		return strconv.FormatUint(n, 10)
	}
	if text := v.texts[n&^isText]; text != "" {
		return text
	}
	return "null"
}
