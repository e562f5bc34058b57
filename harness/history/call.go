package history

import (
	"iter"
	"time"
)

// Call is one call of a client, as [Op] is, without copies: what is asked of it is looked up in the history. There
// may be millions.
type Call struct {
	h           *History
	call, reply *record // reply is nil if the history ends before the call does
	index       int
}

// Calls returns the clients' calls in the order of their invocations.
func (h *History) Calls() iter.Seq[Call] {
	return func(yield func(Call) bool) {
		for i := range h.n {
			if r := h.record(i); r.process >= 0 && r.kind == Invoke && !yield(h.Call(i)) {
				return
			}
		}
	}
}

// Call returns the call that was invoked at index i.
func (h *History) Call(i int) Call {
	c := Call{h: h, call: h.record(i), index: i}
	if other := c.call.pair; other != 0 {
		c.reply = h.record(int(other))
	}
	return c
}

// Index returns the index of the invocation.
func (c Call) Index() int { return c.index }

// F names what was called.
func (c Call) F() string { return c.h.names.text(uint32(c.call.f)) }

// Node is the node that was called.
func (c Call) Node() string { return c.h.names.text(uint32(c.call.node)) }

// Key is the key that was touched.
func (c Call) Key() string { return c.h.symbols.text(c.call.key) }

// KeyID is a number of the key, below [History.KeyIDs].
func (c Call) KeyID() int { return int(c.call.key) }

// Asked is the value of the invocation.
func (c Call) Asked() Value { return c.h.valueOf(c.call) }

// Kind says how the call ended: [OK], [Fail] or [Info].
func (c Call) Kind() Kind {
	if c.reply == nil {
		return Info
	}
	return c.reply.kind
}

// Answer is the value of the completion.
func (c Call) Answer() Value {
	if c.reply == nil {
		return Value{}
	}
	return c.h.valueOf(c.reply)
}

// Err says why a call failed or is in doubt.
func (c Call) Err() string {
	if c.reply == nil {
		return "the history ends before the call does"
	}
	return c.h.symbols.text(c.h.extra(c.reply).err)
}

// Stamp is the place of the answer in the target's own order.
func (c Call) Stamp() Stamp {
	if c.reply == nil {
		return Stamp{}
	}
	return c.h.extra(c.reply).stamp
}

// Begin is the time of the invocation, End that of the completion, or [Never] if nobody knows whether the call took
// effect.
func (c Call) Begin() time.Duration { return c.call.at }

// End is the time of the completion.
func (c Call) End() time.Duration {
	if c.reply == nil || c.reply.kind == Info {
		return Never
	}
	return c.reply.at
}
