// Package jepsen reads histories that Jepsen recorded, and writes ours for its checkers: so anybody can hold
// sunder's verdict against Knossos', and Knossos' against sunder's.
//
// Of a foreign history only clients' operations are taken. What a register's operations mean is the same
// on both sides, with one exception: Jepsen's :fail of a compare-and-set may mean anything that did not
// happen, so that it is no observation, unless it says what was :found, as what we write does.
package jepsen

import (
	"bufio"
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
}

var kinds = map[string]history.Kind{":invoke": history.Invoke, ":ok": history.OK, ":fail": history.Fail, ":info": history.Info}

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
	return build(ops, name)
}

// where says in which line the scanner is.
func (s *scanner) where(name string) string {
	return fmt.Sprintf("%s:%d", name, 1+bytes.Count(s.buf[:min(s.pos, len(s.buf))], []byte("\n")))
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
		return o, false, errors.Join(err, errors.New("an operation is a map, as {:process 0, :type :invoke, :f :read, :value nil}"))
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
	number, notOne := strconv.Atoi(string(process))
	if notOne != nil {
		return o, false, nil //nolint:nilerr // it is no error that a process is :nemesis
	}
	o.process = number
	o.kind, o.f = kinds[s.name(bytes.Trim(kind, `"`))], s.name(bytes.Trim(f, `"`))
	if o.kind == 0 || len(o.f) < 2 || o.f[0] != ':' {
		return o, false, fmt.Errorf("an operation has a :type of :invoke, :ok, :fail, :info, and a keyword as :f, not %s and %s", orNil(kind), orNil(f))
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

// ReadLog reads the lines that Jepsen logs of each operation, as in `INFO  jepsen.util - 0  :invoke  :write  3`. Other
// lines are passed over. Their order is the only time that there is.
func ReadLog(r io.Reader, name string) (*history.History, error) {
	var ops []operation
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		_, rest, ours := bytes.Cut(lines.Bytes(), []byte("jepsen.util"))
		if !ours {
			continue
		}
		s := &scanner{buf: bytes.TrimLeft(rest, " \t-:")}
		process, err := strconv.Atoi(string(s.token()))
		if err != nil {
			continue // :nemesis, or a remark
		}
		o := operation{process: process, time: -1}
		if o.err, err = o.fromLog(s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		ops = append(ops, o)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(ops) == 0 {
		return nil, fmt.Errorf("%s: there is no line of an operation, as INFO  jepsen.util - 0  :invoke  :write  3", name)
	}
	return build(ops, name)
}

func (o *operation) fromLog(s *scanner) (note string, err error) {
	if err := s.space(); err != nil {
		return "", err
	}
	kind, known := kinds[string(s.token())]
	if err := s.space(); err != nil {
		return "", err
	}
	f := s.token()
	if !known || len(f) < 2 || f[0] != ':' {
		return "", errors.New("a process is followed by :invoke, :ok, :fail or :info, and a keyword")
	}
	o.kind, o.f = kind, string(f[1:])
	if o.value, err = s.value(nil); err != nil {
		return "", err
	}
	if kind == history.OK || kind == history.Invoke {
		return "", nil
	}
	return string(bytes.TrimSpace(append(o.value, s.buf[s.pos:]...))), nil
}

// build makes a history of operations. Those of jepsen.independent have values [key value].
func build(ops []operation, name string) (*history.History, error) {
	h := &history.History{}
	keyed := independent(ops)
	if versioned(ops) {
		return nil, fmt.Errorf("%s: the values are [key [version value]], as those of Jepsen's tests of etcd and Consul; sunder does not know such", name)
	}
	var last time.Duration
	for i := range ops {
		o := &ops[i]
		// The order is Jepsen's: an operation that it recorded later ended later, if only by a little.
		last = max(last+1, time.Duration(o.time))
		if last >= history.Never {
			return nil, fmt.Errorf("%s, operation %d: :time %d is too large", name, i, o.time)
		}
		if o.kind == history.Fail && o.err == history.Mismatch && o.found == nil {
			o.err = "mismatch, it is said" // of what, nobody knows: no observation
		}
		e := history.Event{At: last, Process: o.process, Kind: o.kind, F: o.f, Err: o.err, Value: o.value}
		if keyed {
			key, value, ok := history.Pair(o.value)
			switch {
			case ok:
				if json.Unmarshal(key, &e.Key) != nil || key[0] != '"' || json.Valid([]byte(e.Key)) {
					e.Key = string(key) // a number, or a string that would be taken for one
				}
				e.Value = value
			case o.kind == history.OK || o.kind == history.Invoke:
				return nil, fmt.Errorf("%s, operation %d: the value %s is no [key value] as those before", name, i, orNil(o.value))
			default:
				e.Value = nil
			}
		}
		switch {
		case o.kind == history.Fail && o.err == history.Mismatch:
			if e.Value = o.found; string(o.found) == `":another"` {
				e.Value = nil // nobody knows which
			}
		case o.kind == history.Fail || o.kind == history.Info || o.kind == history.Invoke && o.f == "read":
			e.Value = nil
		}
		if err := h.Append(e); err != nil {
			return nil, fmt.Errorf("%s, operation %d: %w", name, i, err)
		}
	}
	return h, nil
}

// versioned reports whether reads are invoked with [key [nil nil]]: a version and a value will be answered.
func versioned(ops []operation) bool {
	for i := range ops {
		if _, inner, ok := history.Pair(ops[i].value); ok && ops[i].kind == history.Invoke && ops[i].f == "read" {
			if _, _, nested := history.Pair(inner); nested {
				return true
			}
		}
	}
	return false
}

// independent reports whether values are of jepsen.independent: then even a read is invoked with a pair.
func independent(ops []operation) bool {
	reads, pairs := 0, 0
	for i := range ops {
		o := &ops[i]
		if o.kind != history.Invoke {
			continue
		}
		_, inner, pair := history.Pair(o.value)
		_, _, nested := history.Pair(inner)
		switch {
		case o.f == "read":
			reads++
			if !pair {
				return false
			}
		case !pair, o.f == "cas" && !nested:
			return false
		case nested:
			pairs++
		}
	}
	return reads > 0 || pairs > 0
}
