package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// History is a whole history in memory, in compact form: about 50 bytes an event, so that a
// million operations fit in little more than 100 MB. Events are made from it on demand.
//
// The zero History is empty and ready to use. It is safe for concurrent reading once complete.
type History struct {
	blocks  [][]record
	n       int
	symbols symbols // keys and errors: there may be many
	names   symbols // operations and nodes: there are few
	values  arena
	stamps  []Stamp // the zero one first
	clients clients
}

// record is an event with its strings replaced by symbols and its value by a place in the arena.
type record struct {
	at         time.Duration
	value      valueRef
	valueBytes uint32
	process    int32
	key, err   uint32
	pair       uint32 // of a client's call: the other end, or 0
	stamp      uint32
	f, node    uint16
	kind       Kind
}

const blockEvents = 1 << 14

// client is what the pairing of calls needs to know of a process.
type client struct {
	open    uint32 // index of its open invocation
	isOpen  bool
	retired bool
}

// clients are numbered from 0 without large gaps; whoever numbers them in another way pays for it.
type clients struct {
	low  []client
	high map[int32]*client
}

func (c *clients) of(process int32) *client {
	if int(process) < len(c.low) {
		return &c.low[process]
	}
	if int(process) < 2*len(c.low)+1024 {
		c.low = append(c.low, make([]client, max(int(process)+1, 2*len(c.low))-len(c.low))...)
		for p := range c.high {
			if int(p) < len(c.low) {
				c.low[p] = *c.high[p]
				delete(c.high, p)
			}
		}
		return &c.low[process]
	}
	if c.high == nil {
		c.high = make(map[int32]*client)
	}
	if c.high[process] == nil {
		c.high[process] = &client{}
	}
	return c.high[process]
}

// Len returns the number of events.
func (h *History) Len() int { return h.n }

// Append adds e at the end; e.Index is set by its place. It refuses an event that breaks the
// rules of a history: time that runs backwards, a completion without a call, a second call of a
// process that has one open, a call of a retired process.
func (h *History) Append(e Event) error {
	r := raw{
		at: int64(e.At), process: int64(e.Process), kind: e.Kind,
		f: []byte(e.F), node: []byte(e.Node), key: []byte(e.Key), err: []byte(e.Err), value: e.Value, stamp: e.Stamp,
	}
	return h.append(&r)
}

func (h *History) append(r *raw) error {
	if r.process < Controller || r.process > math.MaxInt32 {
		return fmt.Errorf("a process has a number from %d to %d, not %d", Controller, math.MaxInt32, r.process)
	}
	if r.at < 0 || time.Duration(r.at) >= Never {
		return fmt.Errorf("%d is no time of a run", r.at)
	}
	if h.n >= math.MaxInt32 {
		return errors.New("a history holds at most 2^31-1 events")
	}
	if h.n > 0 {
		if last := h.record(h.n - 1).at; time.Duration(r.at) < last {
			return fmt.Errorf("time runs backwards: %v after %v", time.Duration(r.at), last)
		}
	}
	rec := record{
		at: time.Duration(r.at), process: int32(r.process), kind: r.kind,
		key: h.symbols.id(r.key), err: h.symbols.id(r.err),
	}
	f, node := h.names.id(r.f), h.names.id(r.node)
	if f > math.MaxUint16 || node > math.MaxUint16 {
		return errors.New("too many different names of operations and nodes")
	}
	rec.f, rec.node = uint16(f), uint16(node)
	if r.process >= 0 {
		if err := h.pair(r, &rec); err != nil {
			return err
		}
	}
	rec.value, rec.valueBytes = h.values.add(r.value)
	rec.stamp = h.addStamp(r.stamp)
	if h.n%blockEvents == 0 {
		h.blocks = append(h.blocks, make([]record, 0, blockEvents))
	}
	last := &h.blocks[len(h.blocks)-1]
	*last = append(*last, rec)
	h.n++
	return nil
}

func (h *History) addStamp(s Stamp) uint32 {
	if s == (Stamp{}) {
		return 0
	}
	if len(h.stamps) == 0 {
		h.stamps = append(h.stamps, Stamp{})
	}
	h.stamps = append(h.stamps, s)
	return uint32(len(h.stamps) - 1)
}

func (h *History) pair(r *raw, rec *record) error {
	c := h.clients.of(rec.process)
	switch {
	case r.kind == Note:
		return fmt.Errorf("process %d is a client, and a note is no client's", r.process)
	case r.kind == Invoke && c.retired:
		return fmt.Errorf("process %d calls again after an info: it must go on under a new number", r.process)
	case r.kind == Invoke && c.isOpen:
		return fmt.Errorf("process %d calls while its call at index %d is open", r.process, c.open)
	case r.kind == Invoke:
		*c = client{open: uint32(h.n), isOpen: true}
	case !c.isOpen:
		return fmt.Errorf("process %d completes (%s) without an open call", r.process, r.kind)
	default:
		call := h.record(int(c.open))
		if call.f != rec.f || (call.key != rec.key && rec.key != 0) {
			return fmt.Errorf("process %d completes another operation than it called at index %d", r.process, c.open)
		}
		call.pair, rec.pair = uint32(h.n), c.open
		*c = client{retired: r.kind == Info}
	}
	return nil
}

func (h *History) record(i int) *record { return &h.blocks[i/blockEvents][i%blockEvents] }

// Event returns the event at index i. Its Value must not be changed.
func (h *History) Event(i int) Event {
	r := h.record(i)
	e := Event{
		Index: i, At: r.at, Process: int(r.process), Kind: r.kind,
		F: h.names.texts[r.f], Node: h.names.texts[r.node], Key: h.symbols.texts[r.key],
		Value: h.values.get(r.value, r.valueBytes), Err: h.symbols.texts[r.err],
	}
	if r.stamp != 0 {
		e.Stamp = h.stamps[r.stamp]
	}
	return e
}

// Events returns all events in order.
func (h *History) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for i := range h.n {
			if !yield(h.Event(i)) {
				return
			}
		}
	}
}

// Ops returns the clients' operations in the order of their invocations.
func (h *History) Ops() iter.Seq[Op] {
	return func(yield func(Op) bool) {
		for i := range h.n {
			if r := h.record(i); r.process >= 0 && r.kind == Invoke && !yield(h.Op(i)) {
				return
			}
		}
	}
}

// Op returns the operation that was invoked at index i.
func (h *History) Op(i int) Op {
	op := Op{Call: h.Event(i)}
	if pair := h.record(i).pair; pair != 0 {
		op.Return = h.Event(int(pair))
	} else {
		op.Return = op.Call
		op.Return.Kind, op.Return.Value = Info, nil
		op.Return.Err = "the history ends before the call does"
	}
	if op.Return.Kind == Info {
		op.Return.At = Never
	}
	return op
}

// End returns the time of the last event.
func (h *History) End() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.record(h.n - 1).at
}

// symbols numbers strings: the same few node names, operations and keys come a million times.
type symbols struct {
	texts []string
	ids   map[string]uint32
	// recent are numbers that came lately, by a rough hash.
	recent [64]uint32
}

func (s *symbols) id(name []byte) uint32 {
	if s.ids == nil {
		s.ids = map[string]uint32{"": 0}
		s.texts = []string{""}
	}
	if len(name) == 0 {
		return 0
	}
	recent := &s.recent[(uint(name[len(name)-1])^uint(name[0])<<2^uint(len(name))<<4)%uint(len(s.recent))]
	if s.texts[*recent] == string(name) {
		return *recent
	}
	id, ok := s.ids[string(name)] // no allocation: the compiler sees a look-up only
	if !ok {
		id = uint32(len(s.texts))
		s.texts = append(s.texts, string(name))
		s.ids[s.texts[id]] = id
	}
	*recent = id
	return id
}

// arena keeps values back to back in chunks that never move.
type arena struct{ chunks [][]byte }

type valueRef struct{ chunk, offset uint32 }

const arenaChunk = 1 << 20

func (a *arena) add(v []byte) (valueRef, uint32) {
	if len(v) == 0 {
		return valueRef{}, 0
	}
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < len(v) {
		a.chunks = append(a.chunks, make([]byte, 0, max(arenaChunk, len(v))))
		last++
	}
	ref := valueRef{uint32(last), uint32(len(a.chunks[last]))}
	a.chunks[last] = append(a.chunks[last], v...)
	return ref, uint32(len(v))
}

func (a *arena) get(ref valueRef, n uint32) json.RawMessage {
	if n == 0 {
		return nil
	}
	return a.chunks[ref.chunk][ref.offset : ref.offset+n : ref.offset+n]
}
