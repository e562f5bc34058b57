// Package jepsen reads histories that Jepsen recorded, and writes ours for its checkers: so anybody can hold
// sunder's verdict against Knossos', and Knossos' against sunder's.
//
// Of a foreign history only clients' operations are taken. What a register's operations mean is the same
// on both sides, with one exception: Jepsen's :fail of a compare-and-set may mean anything that did not
// happen, so that it is no observation, unless its :error is "mismatch" as in what we write.
package jepsen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// operation is an event as Jepsen has it.
type operation struct {
	process  int
	kind     history.Kind
	f        string
	value    []byte // JSON
	time     int64  // ns; before 0 if it is not known
	err      string
	found    []byte // by a compare-and-set that failed; ours
	position string // where it stands, for errors
}

var kinds = map[string]history.Kind{":invoke": history.Invoke, ":ok": history.OK, ":fail": history.Fail, ":info": history.Info}

// maxFile bounds what is read into memory.
const maxFile = 4 << 30

// ReadEDN reads a history.edn: a vector of maps, or one map after the other.
func ReadEDN(r io.Reader, name string) (*history.History, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: is larger than %d GiB", name, maxFile>>30)
	}
	s := &scanner{buf: text}
	ops, err := s.operations(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.where(name), err)
	}
	return build(ops)
}

// where says in which line the scanner is.
func (s *scanner) where(name string) string {
	return fmt.Sprintf("%s:%d", name, 1+bytes.Count(s.buf[:min(s.pos, len(s.buf))], []byte("\n")))
}

// operations reads maps, or a vector of them, to the end of the text.
func (s *scanner) operations(name string) (ops []operation, err error) {
	vector, err := s.eat('[')
	if err != nil {
		return nil, err
	}
	for {
		more, err := s.more()
		switch {
		case err != nil:
			return nil, err
		case !more && vector:
			return nil, errEnd
		case !more:
			return ops, nil
		}
		if vector {
			if end, _ := s.eat(']'); end {
				if more, err := s.more(); err != nil || more {
					return nil, errors.Join(err, errors.New("there is more after the vector of operations"))
				}
				return ops, nil
			}
		}
		o, client, err := s.operation()
		if err != nil {
			return nil, err
		}
		if client {
			o.position = fmt.Sprintf("%s, operation %d", name, len(ops))
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
	fields := make(map[string][]byte, 8)
	for {
		end, err := s.eat('}')
		if err != nil {
			return o, false, err
		}
		if end {
			break
		}
		if more, err := s.more(); err != nil || !more {
			return o, false, errors.Join(err, errEnd)
		}
		key := string(s.token())
		value, err := s.value(nil)
		if err != nil {
			return o, false, err
		}
		if _, twice := fields[key]; twice {
			return o, false, fmt.Errorf("%s comes twice", key)
		}
		fields[key] = value
	}
	return fromFields(fields)
}

func fromFields(fields map[string][]byte) (o operation, client bool, err error) {
	process, err := strconv.Atoi(string(fields[":process"]))
	if err != nil {
		if len(fields[":process"]) == 0 {
			return o, false, errors.New("an operation has no :process")
		}
		return o, false, nil // :nemesis
	}
	name := func(field string) string {
		var s string
		_ = json.Unmarshal(fields[field], &s) // what is no string is no keyword either, and will be refused
		return s
	}
	kind, known := kinds[name(":type")]
	f := name(":f")
	if !known || len(f) < 2 || f[0] != ':' {
		return o, false, fmt.Errorf("an operation has a :type of :invoke, :ok, :fail, :info, and a keyword as :f, not %s and %s", orNil(fields[":type"]), orNil(fields[":f"]))
	}
	o = operation{process: process, kind: kind, f: f[1:], value: fields[":value"], time: -1, found: fields[":found"]}
	if at, err := strconv.ParseInt(string(fields[":time"]), 10, 64); err == nil {
		o.time = at
	}
	if e := fields[":error"]; len(e) > 0 && string(e) != "null" {
		if o.err = name(":error"); o.err == "" {
			o.err = string(e)
		} else if o.err[0] == ':' {
			o.err = o.err[1:]
		}
	}
	return o, true, nil
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
		o := operation{process: process, time: -1, position: fmt.Sprintf("%s:%d", name, n)}
		if o.err, err = o.fromLog(s); err != nil {
			return nil, fmt.Errorf("%s: %w", o.position, err)
		}
		ops = append(ops, o)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(ops) == 0 {
		return nil, fmt.Errorf("%s: there is no line of an operation, as INFO  jepsen.util - 0  :invoke  :write  3", name)
	}
	return build(ops)
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
func build(ops []operation) (*history.History, error) {
	h := &history.History{}
	keyed := independent(ops)
	var last time.Duration
	for i := range ops {
		o := &ops[i]
		// The order is Jepsen's: an operation that it recorded later ended later, if only by a little.
		last = max(last+1, time.Duration(o.time))
		e := history.Event{At: last, Process: o.process, Kind: o.kind, F: o.f, Err: o.err, Value: o.value}
		if keyed {
			key, value, ok := history.Pair(o.value)
			switch {
			case ok:
				if json.Unmarshal(key, &e.Key) != nil {
					e.Key = string(key) // a number, or whatever else is no string
				}
				e.Value = value
			case o.kind == history.OK || o.kind == history.Invoke:
				return nil, fmt.Errorf("%s: the value %s is no [key value] as those before", o.position, orNil(o.value))
			default:
				e.Value = nil
			}
		}
		switch {
		case o.kind == history.Fail && o.err == history.Mismatch:
			e.Value = o.found
		case o.kind == history.Fail || o.kind == history.Info || o.kind == history.Invoke && o.f == "read":
			e.Value = nil
		}
		if err := h.Append(e); err != nil {
			return nil, fmt.Errorf("%s: %w", o.position, err)
		}
	}
	return h, nil
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
