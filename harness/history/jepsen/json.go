package jepsen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sunder-dev/sunder/harness/history"
)

// operationJSON is an operation as tools beside Jepsen write it.
type operationJSON struct {
	Index   json.RawMessage `json:"index"`
	Process json.RawMessage `json:"process"`
	Type    string          `json:"type"`
	F       string          `json:"f"`
	Value   json.RawMessage `json:"value"`
	Time    *int64          `json:"time"`
	Error   json.RawMessage `json:"error"`
}

// ReadJSON reads operations that are one JSON array: [{"process":0,"type":"invoke",…}, …].
func ReadJSON(r io.Reader, name string) (*history.History, error) {
	var events []json.RawMessage
	d := json.NewDecoder(io.LimitReader(r, maxFile))
	const wanted = "it begins as one JSON array of operations, as " + `[{"process":0,"type":"invoke","f":"write","value":1}]`
	if err := d.Decode(&events); err != nil {
		return nil, fmt.Errorf("%s: %s, and is none: %w", name, wanted, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: there is more after the array of operations", name)
	}
	var ops []operation
	var named processes
	for i, text := range events {
		e, err := history.Strictly[operationJSON](text, "process", "type", "f")
		if err != nil {
			return nil, fmt.Errorf("%s: %s; operation %d is none: %w", name, wanted, i, err)
		}
		o := operation{
			kind: kinds[":"+strings.TrimPrefix(e.Type, ":")], f: strings.TrimPrefix(e.F, ":"),
			value: e.Value, time: -1, err: strings.Trim(string(e.Error), `"`), pos: -1 - i,
		}
		if o.kind == 0 || o.f == "" {
			return nil, fmt.Errorf("%s, operation %d: it has no f, or a type that is none of invoke, ok, fail, info", name, i)
		}
		var client bool
		if o.process, client = named.number(string(e.Process)); !client {
			continue
		}
		if e.Time != nil {
			o.time = *e.Time
		}
		ops = append(ops, o)
	}
	return build(ops, name, nil)
}
