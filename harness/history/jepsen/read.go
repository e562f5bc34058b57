// Package jepsen reads histories that Jepsen recorded, and writes ours for its checkers: so anybody can hold
// sunder's verdict against Knossos', and Knossos' against sunder's.
//
// Of a foreign history only clients' operations are taken. What they mean is what Knossos takes them for: a read that
// is :ok and nil says nothing of what the register holds, the value of a completion counts and not that of the call,
// and every process but :nemesis is a client. A :fail of a compare-and-set may mean anything that did not happen, so
// that it is no observation, unless it says what was :found, as what we write does.
package jepsen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// operation is an event as Jepsen has it.
type operation struct {
	process int
	kind    history.Kind
	f       string
	value   []byte // JSON
	time    int64  // ns; before 0 if it is not known
	err     string
	found   []byte // by a compare-and-set that failed; ours
	pos     int    // where it ends in the text
}

var kinds = map[string]history.Kind{
	":invoke": history.Invoke,
	":ok":     history.OK,
	":fail":   history.Fail,
	":info":   history.Info,
}

// maxFile bounds what is read into memory.
const maxFile = 4 << 30

// ReadEDN reads a history.edn: a vector or a list of maps, or one map after the other.
func ReadEDN(r io.Reader, name string) (*history.History, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: is larger than %d GiB", name, maxFile>>30)
	}
	s := &scanner{buf: text}
	ops, err := s.operations()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.where(name), err)
	}
	return build(ops, name, s.buf)
}

// where says in which line the scanner is.
func (s *scanner) where(name string) string { return lineAt(name, s.buf, s.pos) }

func lineAt(name string, text []byte, pos int) string {
	return fmt.Sprintf("%s:%d", name, 1+bytes.Count(text[:min(pos, len(text))], []byte("\n")))
}

// processes numbers clients that have names and no numbers of their own.
type processes map[string]int

// firstNamed is the first number that a named process gets. A process whose number is as large has it for a name.
const firstNamed = 1 << 24

// number returns the number of a process, or false if it is the nemesis. "1" and 1 are two processes.
func (p *processes) number(name string) (int, bool) {
	if strings.TrimPrefix(strings.Trim(name, `"`), ":") == "nemesis" {
		return 0, false
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < firstNamed && strconv.Itoa(n) == name {
		return n, true
	}
	if *p == nil {
		*p = make(processes)
	}
	n, ok := (*p)[name]
	if !ok {
		n = firstNamed + len(*p)
		(*p)[name] = n
	}
	return n, true
}

// operations reads maps, or a vector or a list of them, to the end of the text.
func (s *scanner) operations() (ops []operation, err error) {
	var end byte // of the collection, if it is one
	for begin, close := range map[byte]byte{'[': ']', '(': ')'} {
		begins, err := s.eat(begin)
		if err != nil {
			return nil, err
		}
		if begins {
			end = close
			break
		}
	}
	for {
		more, err := s.more()
		switch {
		case err != nil:
			return nil, err
		case !more && end != 0:
			return nil, errEnd
		case !more:
			return ops, nil
		}
		if end != 0 && s.buf[s.pos] == end {
			s.pos++
			if more, err := s.more(); err != nil || more {
				return nil, errors.Join(err, errors.New("there is more after the operations"))
			}
			return ops, nil
		}
		o, client, err := s.operation()
		if err != nil {
			return nil, err
		}
		if client {
			ops = append(ops, o)
		}
	}
}

// operation reads one map. It reports false if it is not a client's.
func (s *scanner) operation() (o operation, client bool, err error) {
	if tagged, err := s.eat('#'); err != nil {
		return o, false, err
	} else if tagged { // #jepsen.history.Op{…}
		s.token()
	}
	if begins, err := s.eat('{'); err != nil || !begins {
		return o, false, errors.Join(
			err,
			errors.New("an operation is a map, as {:process 0, :type :invoke, :f :read, :value nil}"),
		)
	}
	has := make(map[string]bool, 8)
	o.time = -1
	var process, kind, f []byte
	for {
		if end, err := s.eat('}'); err != nil || end {
			if err != nil {
				return o, false, err
			}
			break
		}
		if more, err := s.more(); err != nil || !more {
			return o, false, errors.Join(err, errEnd)
		}
		field := s.name(s.token())
		if has[field] {
			return o, false, fmt.Errorf("%s comes twice", field)
		}
		has[field] = true
		v, err := s.keep()
		if err != nil {
			return o, false, err
		}
		switch field {
		case ":process":
			process = v
		case ":type":
			kind = v
		case ":f":
			f = v
		case ":value":
			o.value = v
		case ":time":
			if at, err := strconv.ParseInt(string(v), 10, 64); err == nil {
				o.time = at
			}
		case ":error":
			o.err = s.note(v)
		case ":found":
			o.found = v
		}
	}
	if len(process) == 0 {
		return o, false, errors.New("an operation has no :process")
	}
	var ours bool
	if o.process, ours = s.processes.number(string(process)); !ours {
		return o, false, nil
	}
	o.pos = s.pos - 1
	o.kind, o.f = kinds[s.name(bytes.Trim(kind, `"`))], s.name(bytes.Trim(f, `"`))
	if o.kind == 0 || len(o.f) < 2 || o.f[0] != ':' {
		return o, false, fmt.Errorf(
			"an operation has a :type of :invoke, :ok, :fail, :info, and a keyword as :f, not %s and %s",
			orNil(kind),
			orNil(f),
		)
	}
	o.f = o.f[1:]
	return o, true, nil
}

// keep reads a value that stays.
func (s *scanner) keep() ([]byte, error) {
	if cap(s.values)-len(s.values) < 1<<10 {
		s.values = make([]byte, 0, 1<<20)
	}
	start := len(s.values)
	values, err := s.value(s.values)
	if err != nil {
		return nil, err
	}
	s.values = values
	return values[start:len(values):len(values)], nil
}

// name returns a text of which there are few.
func (s *scanner) name(text []byte) string {
	if name, ok := s.names[string(text)]; ok {
		return name
	}
	if s.names == nil {
		s.names = make(map[string]string)
	}
	name := string(text)
	if len(s.names) < 1<<12 {
		s.names[name] = name
	}
	return name
}

// note returns an :error in words.
func (s *scanner) note(v []byte) string {
	var text string
	switch {
	case string(v) == "null":
		return ""
	case json.Unmarshal(v, &text) != nil:
		text = string(v)
	}
	return s.name([]byte(strings.TrimPrefix(text, ":")))
}

func orNil(v []byte) string {
	if len(v) == 0 {
		return "nil"
	}
	return string(v)
}

// build makes a history of operations. Those of jepsen.independent have values [key value].
func build(ops []operation, name string, text []byte) (*history.History, error) {
	h := &history.History{}
	where := func(o *operation) string {
		if o.pos < 0 {
			return fmt.Sprintf("%s, operation %d", name, -1-o.pos)
		}
		return lineAt(name, text, o.pos)
	}
	complete(ops)
	keyed := independent(ops)
	if versioned(ops, keyed) {
		return nil, fmt.Errorf(
			"%s: reads answer [version value], as those of Jepsen's tests of etcd and Consul; sunder does not know such",
			name,
		)
	}
	var last time.Duration
	unknown := 0 // reads of nil
	for i := range ops {
		o := &ops[i]
		// The order is Jepsen's: an operation that it recorded later ended later, if only by a little.
		last = max(last+1, time.Duration(o.time))
		if last >= history.Never {
			return nil, fmt.Errorf("%s: :time %d is too large", where(o), o.time)
		}
		if o.kind == history.Fail && o.err == history.Mismatch && o.found == nil {
			o.err = "mismatch, it is said" // of what, nobody knows: no observation
		}
		e := history.Event{At: last, Process: o.process, Kind: o.kind, F: o.f, Err: o.err, Value: o.value}
		if keyed {
			key, value, ok := history.Pair(o.value)
			if three := triple(o); three != nil {
				key, value, ok = three[0], fmt.Appendf(nil, "[%s,%s]", three[1], three[2]), true
			}
			switch {
			case ok:
				if json.Unmarshal(key, &e.Key) != nil || key[0] != '"' || json.Valid([]byte(e.Key)) {
					e.Key = string(key) // a number, or a string that would be taken for one
				}
				e.Value = value
			case o.kind == history.OK || o.kind == history.Invoke:
				return nil, fmt.Errorf("%s: the value %s is no [key value] as those before", where(o), orNil(o.value))
			default:
				e.Value = nil
			}
		}
		switch {
		case o.kind == history.Fail && o.err == history.Mismatch:
			if e.Value = o.found; string(o.found) == `":another"` {
				e.Value = nil // nobody knows which
			}
		case o.kind == history.OK && o.f == "read" && (len(e.Value) == 0 || string(e.Value) == "null"):
			e.Kind, e.Value, e.Err = history.Fail, nil, "what was read is not known"
			unknown++
		case o.kind == history.Fail || o.kind == history.Info || o.kind == history.Invoke && o.f == "read":
			e.Value = nil
		}
		if err := h.Append(e); err != nil {
			return nil, fmt.Errorf("%s: %w", where(o), err)
		}
	}
	if !keyed && pairs(ops) {
		h.Remark("all values are pairs, and are taken for values of one key: reads are not invoked with [key nil]")
	}
	switch {
	case unknown == 1:
		h.Remark("a read of nil says nothing, as in Knossos' register")
	case unknown > 1:
		h.Remark(fmt.Sprintf("%d reads of nil say nothing, as in Knossos' register", unknown))
	}
	return h, nil
}

// complete gives calls the values that their completions have, as Knossos does: what was asked for may be said, or
// put into its form, only then.
func complete(ops []operation) {
	open := make(map[int]*operation)
	for i := range ops {
		switch o := &ops[i]; {
		case o.kind == history.Invoke:
			open[o.process] = o
		case o.kind == history.OK && o.f != "read" && len(o.value) > 0 && string(o.value) != "null":
			if call := open[o.process]; call != nil && call.f == o.f {
				call.value = o.value
			}
		}
	}
}

// triple returns the key, the old and the new value of a compare-and-set that has them in one list, or nil.
func triple(o *operation) []json.RawMessage {
	var three []json.RawMessage
	if o.f != "cas" || json.Unmarshal(o.value, &three) != nil || len(three) != 3 {
		return nil
	}
	return three
}

// micro reports whether a value is a list of micro-operations, as [[:r 1 nil] [:append 2 3]]: a transaction.
func micro(value []byte) bool {
	var list [][]json.RawMessage
	if !bytes.HasPrefix(value, []byte("[[")) || json.Unmarshal(value, &list) != nil || len(list) == 0 {
		return false
	}
	for _, op := range list {
		if len(op) != 3 || !bytes.HasPrefix(op[0], []byte(`":`)) && !bytes.HasPrefix(op[0], []byte(`"`)) {
			return false
		}
	}
	return true
}

// versioned reports whether reads are invoked with [nil nil], or [key [nil nil]]: a version and a value will be
// answered.
func versioned(ops []operation, keyed bool) bool {
	for i := range ops {
		if ops[i].kind != history.Invoke || ops[i].f != "read" {
			continue
		}
		key, inner, ok := history.Pair(ops[i].value)
		if _, _, nested := history.Pair(inner); ok && (nested || keyed && string(key) == "null") {
			return true
		}
	}
	return false
}

// pairs reports whether each value that is written or read is a pair, so that it might be a key and a value.
func pairs(ops []operation) bool {
	some := false
	for i := range ops {
		o := &ops[i]
		if o.f != "read" && o.f != "write" || len(o.value) == 0 || string(o.value) == "null" {
			continue
		}
		if _, _, ok := history.Pair(o.value); !ok {
			return false
		}
		some = true
	}
	return some
}

// independent reports whether values are of jepsen.independent: then even a read is invoked with a pair.
func independent(ops []operation) bool {
	reads, pairs := 0, 0
	for i := range ops {
		o := &ops[i]
		if o.kind != history.Invoke {
			continue
		}
		if micro(o.value) {
			return false
		}
		_, inner, pair := history.Pair(o.value)
		_, _, nested := history.Pair(inner)
		switch {
		case o.f == "read":
			reads++
			if !pair {
				return false
			}
		case triple(o) != nil:
			pairs++
		case !pair, o.f == "cas" && !nested:
			return false
		case nested:
			pairs++
		}
	}
	return reads > 0 || pairs > 0
}
