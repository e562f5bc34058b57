package history

import (
	"errors"
	"fmt"
	"math"
)

// The codec is written by hand for this one line format, because it, and not the checker, decides
// how long a check of a large history takes (see BenchmarkDecode, and ARCHITECTURE.md for what
// libraries do). Lines as we write them ourselves take a short way; others the long one.

// The fields of a line, as bits: a field that comes twice or is missing is an error, since a
// history that is read wrongly gives a wrong verdict.
const (
	fieldIndex = 1 << iota
	fieldAt
	fieldProcess
	fieldKind
	fieldF
	fieldNode
	fieldKey
	fieldValue
	fieldErr
	fieldVersion
	fieldRevision
	fieldTerm

	fieldsRequired = fieldAt | fieldProcess | fieldKind | fieldF
)

var fieldNames = [...]struct {
	name string
	bit  int
}{
	{"index", fieldIndex}, {"at", fieldAt}, {"process", fieldProcess}, {"kind", fieldKind}, {"f", fieldF},
	{"node", fieldNode}, {"key", fieldKey}, {"value", fieldValue}, {"err", fieldErr},
	{"version", fieldVersion}, {"revision", fieldRevision}, {"term", fieldTerm},
}

func fieldOf(name []byte) int {
	for _, f := range fieldNames {
		if f.name == string(name) {
			return f.bit
		}
	}
	return 0
}

// raw is a decoded line. Its byte slices point into the line, or are freshly unescaped.
type raw struct {
	index, at, process int64
	kind               Kind
	f, node, key, err  []byte
	value              []byte
	number             uint64 // the value, if it is one; see pack
	form               form
	stamp              Stamp
	has                int
}

var errLine = errors.New("not a history event")

// decodeAny parses one line (without its newline) into r.
func decodeAny(line []byte, r *raw) error {
	*r = raw{}
	d := decoder{buf: line}
	if !d.eat('{') {
		return fmt.Errorf("%w: a line is one JSON object, and this one starts with %s", errLine, d.here())
	}
	for first := true; ; first = false {
		if d.eat('}') {
			break
		}
		if !first && !d.eat(',') {
			return fmt.Errorf("%w: expected ',' or '}' at column %d, found %s", errLine, d.pos+1, d.here())
		}
		name, err := d.str()
		if err != nil {
			return fmt.Errorf("%w: field name: %w", errLine, err)
		}
		bit := fieldOf(name)
		switch {
		case bit == 0:
			return fmt.Errorf("%w: unknown field %q", errLine, name)
		case r.has&bit != 0:
			return fmt.Errorf("%w: field %q comes twice", errLine, name)
		case !d.eat(':'):
			return fmt.Errorf("%w: expected ':' after %q at column %d, found %s", errLine, name, d.pos+1, d.here())
		}
		r.has |= bit
		if err := d.field(bit, r); err != nil {
			return fmt.Errorf("%w: field %q: %w", errLine, name, err)
		}
	}
	if d.space(); d.pos != len(d.buf) {
		return fmt.Errorf("%w: more after the closing brace at column %d: %s", errLine, d.pos+1, d.here())
	}
	if missing := fieldsRequired &^ r.has; missing != 0 {
		for _, f := range fieldNames {
			if f.bit&missing != 0 {
				return fmt.Errorf("%w: field %q is missing", errLine, f.name)
			}
		}
	}
	return nil
}

func (d *decoder) field(bit int, r *raw) (err error) {
	switch bit {
	case fieldIndex:
		r.index, err = d.integer(0, math.MaxInt32)
	case fieldAt:
		r.at, err = d.integer(0, int64(Never)-1)
	case fieldProcess:
		r.process, err = d.integer(Controller, math.MaxInt32)
	case fieldKind:
		var name []byte
		if name, err = d.str(); err == nil {
			var ok bool
			if r.kind, ok = kindOf(name); !ok {
				err = fmt.Errorf("%q is none of invoke, ok, fail, info, note", name)
			}
		}
	case fieldF:
		if r.f, err = d.name(); err == nil && len(r.f) == 0 {
			err = errors.New("is empty")
		}
	case fieldNode:
		r.node, err = d.name()
	case fieldKey:
		r.key, err = d.name()
	case fieldErr:
		r.err, err = d.str()
	case fieldValue:
		if r.value, err = d.any(); err == nil {
			r.number, r.form = pack(r.value)
		}
	case fieldVersion:
		r.stamp.Version, err = d.natural()
	case fieldRevision:
		r.stamp.Revision, err = d.natural()
	case fieldTerm:
		r.stamp.Term, err = d.natural()
	}
	return err
}
