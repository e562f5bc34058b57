package history

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"
)

// History is a whole history in memory, in compact form: 40 bytes an event, so that a million operations fit in little
// more than 80 MB. Events are made from it on demand.
//
// The zero History is empty and ready to use. It is safe for concurrent reading once complete.
type History struct {
	builder
	blocks  [][]record
	n       int
	clients clients
	others  []uint32 // indices of events that are no clients'
	first   int      // client event, one more than its index; 0 if there is none
	last    int      // likewise
	calls   []uint32 // by key: how often it was called

	remarks []string

	reading sync.Mutex
	notes   *Notes
	notesOf int // how many events they are of
}

// record is an event with its strings replaced by symbols and its value by a number, or a place in the arena.
type record struct {
	at      time.Duration
	value   uint64
	process int32
	key     uint32
	pair    uint32 // of a client's call: the other end, or 0
	more    uint32 // what few events have
	f, node uint16
	kind    Kind
	form    form
}

// extra is what few events have, or only completions.
type extra struct {
	stamp Stamp
	err   uint32
}

// builder makes records.
type builder struct {
	symbols symbols // keys and errors: there may be many
	names   symbols // operations and nodes: there are few
	texts   arena
	extras  []extra // that of nothing first
}

// build makes a record of a decoded line.
func (b *builder) build(r *raw) (rec record, err error) {
	if r.process < Controller || r.process > math.MaxInt32 {
		return rec, fmt.Errorf("a process has a number from %d to %d, not %d", Controller, math.MaxInt32, r.process)
	}
	if r.at < 0 || time.Duration(r.at) >= Never {
		return rec, fmt.Errorf("%d is no time of a run", r.at)
	}
	if len(r.value) > maxLine {
		return rec, fmt.Errorf("a value of %d bytes: at most %d", len(r.value), maxLine)
	}
	f, node := b.names.id(r.f), b.names.id(r.node)
	if f > math.MaxUint16 || node > math.MaxUint16 {
		return rec, errors.New("too many different names of operations and nodes")
	}
	rec = record{
		at: time.Duration(
			r.at,
		),
		process: int32(r.process),
		kind:    r.kind,
		key:     b.symbols.id(r.key),
		f:       uint16(f),
		node:    uint16(node),
		value:   r.number,
		form:    r.form,
	}
	if r.form == literal {
		rec.value = b.texts.add(r.value)
	}
	rec.more = b.addExtra(extra{r.stamp, b.symbols.id(r.err)})
	return rec, nil
}

func (b *builder) addExtra(e extra) uint32 {
	if e == (extra{}) {
		return 0
	}
	if len(b.extras) == 0 {
		b.extras = append(b.extras, extra{})
	}
	if b.extras[len(b.extras)-1] != e {
		b.extras = append(b.extras, e)
	}
	return uint32(len(b.extras) - 1)
}

func (b *builder) extra(r *record) extra {
	if r.more == 0 {
		return extra{}
	}
	return b.extras[r.more]
}

func (b *builder) valueOf(r *record) Value {
	return Value{form: r.form, n: r.value, texts: &b.texts}
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
	r.number, r.form = pack(e.Value)
	rec, err := h.build(&r)
	if err != nil {
		return err
	}
	return h.admit(&rec)
}

// admit adds a record at the end, if it follows from those before.
func (h *History) admit(rec *record) error {
	if h.n >= math.MaxInt32 {
		return errors.New("a history holds at most 2^31-1 events")
	}
	if h.n > 0 {
		if last := h.record(h.n - 1).at; rec.at < last {
			return fmt.Errorf("time runs backwards: %v after %v", rec.at, last)
		}
	}
	if rec.process >= 0 {
		if err := h.pair(rec); err != nil {
			return err
		}
		if h.last = h.n + 1; h.first == 0 {
			h.first = h.last
		}
	} else {
		h.others = append(h.others, uint32(h.n))
	}
	if h.n%blockEvents == 0 {
		h.blocks = append(h.blocks, make([]record, 0, blockEvents))
	}
	last := &h.blocks[len(h.blocks)-1]
	*last = append(*last, *rec)
	h.n++
	return nil
}

func (h *History) pair(rec *record) error {
	c := h.clients.of(rec.process)
	switch {
	case rec.kind == Note:
		return fmt.Errorf("process %d is a client, and a note is no client's", rec.process)
	case rec.kind == Invoke && c.retired:
		return fmt.Errorf("process %d calls again after an info: it must go on under a new number", rec.process)
	case rec.kind == Invoke && c.isOpen:
		return fmt.Errorf("process %d calls while its call at index %d is open", rec.process, c.open)
	case rec.kind == Invoke:
		*c = client{open: uint32(h.n), isOpen: true}
		if int(rec.key) >= len(h.calls) {
			h.calls = append(h.calls, make([]uint32, max(int(rec.key)+1, 2*len(h.calls))-len(h.calls))...)
		}
		h.calls[rec.key]++
	case !c.isOpen:
		return fmt.Errorf("process %d completes (%s) without an open call", rec.process, rec.kind)
	default:
		call := h.record(int(c.open))
		if call.f != rec.f || (call.key != rec.key && rec.key != 0) {
			return fmt.Errorf("process %d completes another operation than it called at index %d", rec.process, c.open)
		}
		if call.node != rec.node && rec.node != 0 {
			return fmt.Errorf("process %d completes at another node than it called at index %d", rec.process, c.open)
		}
		call.pair, rec.pair = uint32(h.n), c.open
		*c = client{retired: rec.kind == Info}
	}
	return nil
}

func (h *History) record(i int) *record { return &h.blocks[i/blockEvents][i%blockEvents] }

// Event returns the event at index i. Its Value must not be changed.
func (h *History) Event(i int) Event {
	r := h.record(i)
	more := h.extra(r)
	return Event{
		Index: i, At: r.at, Process: int(r.process), Kind: r.kind,
		F: h.names.text(uint32(r.f)), Node: h.names.text(uint32(r.node)), Key: h.symbols.text(r.key),
		Value: h.valueOf(r).Text(), Err: h.symbols.text(more.err), Stamp: more.stamp,
	}
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

// Ops returns the clients' operations in the order of their invocations. Where there may be millions, [History.Calls]
// is quicker.
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

// Remark notes something that was read in another way than it may have been meant. It is said beside what is found.
func (h *History) Remark(text string) { h.remarks = append(h.remarks, text) }

// Remarks returns what was noted.
func (h *History) Remarks() []string { return h.remarks }

// KeyIDs is how many numbers keys have; see [Call.KeyID].
func (h *History) KeyIDs() int { return len(h.calls) }

// CallsOf returns how often a key was called, by its number.
func (h *History) CallsOf(keyID int) int { return int(h.calls[keyID]) }

// End returns the time of the last event.
func (h *History) End() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.record(h.n - 1).at
}
