package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// action is what an operation on a register does.
type action uint8

const (
	reads  action = iota
	writes        // sets value
	swaps         // sets value if the register holds old
	differ        // observes that the register does not hold old: a compare-and-set that failed
)

// absent is the state of a register that was never written.
const absent = "null"

// op is one operation on a register, ready to be checked. Values are JSON texts.
type op struct {
	action
	value, old string
	call, ret  time.Duration // ret is history.Never if the call is in doubt
	event      history.Op
}

// observes returns the value that the operation shows to have been there, if it took place.
func (o *op) observes() (string, bool) {
	switch o.action {
	case reads:
		return o.value, true
	case swaps:
		return o.old, true
	default:
		return "", false
	}
}

// installs returns the value that the operation leaves behind.
func (o *op) installs() (string, bool) {
	return o.value, o.action == writes || o.action == swaps
}

// registers sorts a history's operations by key, leaving out those that say nothing: what failed,
// and reads without an answer. A compare-and-set of which the target said that it found another
// value stays, as the observation that it is.
func registers(h *history.History) (map[string][]op, error) {
	keys := make(map[string][]op)
	for e := range h.Ops() {
		o := op{call: e.Call.At, ret: e.Return.At, event: e}
		kind := e.Return.Kind
		switch e.Call.F {
		case "read":
			o.action, o.value = reads, text(e.Return.Value)
			if kind != history.OK {
				continue
			}
		case "write":
			o.action, o.value = writes, text(e.Call.Value)
			if kind == history.Fail {
				continue
			}
		case "cas":
			var values [2]json.RawMessage
			if err := json.Unmarshal(e.Call.Value, &values); err != nil {
				return nil, fmt.Errorf("event %d: a cas has the value [old, new]: %w", e.Call.Index, err)
			}
			o.action, o.old, o.value = swaps, text(values[0]), text(values[1])
			if kind == history.Fail {
				if e.Return.Err != history.Mismatch {
					continue
				}
				o.action = differ
				// A value that was found is as good as one that was read; but one that is what was
				// looked for is no other one, whatever the target says.
				if found := text(e.Return.Value); len(e.Return.Value) > 0 && found != o.old {
					o.action, o.value = reads, found
				}
			}
		default:
			return nil, fmt.Errorf("event %d: a register has no operation %q", e.Call.Index, e.Call.F)
		}
		keys[e.Call.Key] = append(keys[e.Call.Key], o)
	}
	return keys, nil
}

func text(v json.RawMessage) string {
	if len(v) == 0 {
		return absent
	}
	return string(v)
}

// withoutUnobserved leaves out what is in doubt and what nobody saw the effect of, and with it (in
// the first result) all observations of difference. If the whole is linearizable, so is the first
// result; if the second is, so is the whole.
//
// For the first: dropping an observation never makes a history illegal. And take, in a legal order
// of the rest, an operation in doubt whose value nobody observes: whatever follows it, up to the
// next write, would observe its value, so nothing does, and the order is legal without it. For the
// second: an operation in doubt can be put after everything else.
func withoutUnobserved(ops []op) (observations, differences []op) {
	differ := func(o op) bool { return o.action == differ }
	observations = onlyObserved(slices.DeleteFunc(slices.Clone(ops), differ))
	kept := make(map[int]bool, len(observations))
	for i := range observations {
		kept[observations[i].event.Call.Index] = true
	}
	return observations, slices.DeleteFunc(slices.Clone(ops), func(o op) bool { return !differ(o) && !kept[o.event.Call.Index] })
}

func onlyObserved(kept []op) []op {
	for {
		observed := make(map[string]bool)
		for i := range kept {
			if v, ok := kept[i].observes(); ok {
				observed[v] = true
			}
		}
		n := len(kept)
		kept = slices.DeleteFunc(kept, func(o op) bool { return o.ret == history.Never && !observed[o.value] })
		if len(kept) == n {
			return kept
		}
	}
}

// describe says what an operation did: "write 3", "read -> 4", "cas 3 -> 4".
func (o *op) describe() string {
	switch o.action {
	case reads:
		if o.event.Call.F == "cas" {
			return "cas " + o.old + " found " + o.value
		}
		return "read -> " + o.value
	case writes:
		return "write " + o.value
	case swaps:
		return "cas " + o.old + " -> " + o.value
	default:
		return "cas " + o.old + " -> " + o.value + " found another value"
	}
}
