package register

import (
	"context"
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// held is what a register holds. A version that was not told lies after low, and is known once exact.
type held struct {
	value Value
	low   uint64
	exact bool
}

// step returns what the register holds after an operation, or false if it cannot have come to pass.
func (h held) step(o *Op) (held, bool) {
	switch o.Action {
	case Differ:
		return h, h.value != o.Old
	case Read:
		switch {
		case h.value != o.Value:
			return h, false
		case o.Version == 0:
			return h, true
		case h.exact:
			return h, o.Version == h.low
		default:
			return held{h.value, o.Version, true}, o.Version > h.low
		}
	case Swap:
		if h.value != o.Old {
			return h, false
		}
	}
	if o.Version == 0 {
		return held{o.Value, h.low, false}, true
	}
	return held{o.Value, o.Version, true}, o.Version > h.low
}

// search decides by porcupine, which knows nothing of registers but the model. An operation in doubt may
// take effect or not: a write in doubt that did not is as good as one that came after everything else,
// and a compare-and-set in doubt does nothing where it finds another value.
func (d decider) search(ops []Op) Decision {
	w := watch(d.ctx, d.limits.Memory)
	result, order := w.search(ops, d.witness)
	out := Decision{Result: result, Order: order, Engine: Porcupine, Why: w.end()}
	switch {
	case out.Why != "":
		out.Result, out.Order, out.Limited = porcupine.Unknown, nil, true
	case result == porcupine.Unknown:
		out.Why = outOfTime
	case result == porcupine.Illegal:
		values := porcupine.Illegal
		if hasVersions(ops) {
			plain := watch(d.ctx, d.limits.Memory)
			values, _ = plain.search(withoutVersions(ops), false)
			if plain.end() != "" {
				values = porcupine.Unknown
			}
		}
		out.name(values)
	}
	return out
}

const (
	outOfTime    = "out of its time budget"
	outOfMemory  = "out of its memory budget"
	outOfConfigs = "out of its configurations"
)

// whyEnded says why a context ended.
func whyEnded(ctx context.Context) string {
	if context.Cause(ctx) == context.DeadlineExceeded { //nolint:errorlint // it is the cause itself
		return outOfTime
	}
	return "interrupted"
}

// watcher ends a search that porcupine would not: when its context ends, or its memory.
type watcher struct {
	ctx    context.Context
	broke  atomic.Bool
	why    string
	quit   chan struct{}
	finish sync.WaitGroup
}

func watch(ctx context.Context, memory int64) *watcher {
	w := &watcher{ctx: ctx, quit: make(chan struct{})}
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	limit := uint64(math.MaxUint64)
	if memory > 0 {
		limit = heap() + uint64(memory)
	}
	w.finish.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				return
			case <-ctx.Done():
				w.why = whyEnded(ctx)
			case <-tick.C:
				if heap() <= limit {
					continue
				}
				w.why = outOfMemory
			}
			w.broke.Store(true)
			return
		}
	})
	return w
}

// end stops watching, and says why the search was broken off; "" if it was not.
func (w *watcher) end() string {
	close(w.quit)
	w.finish.Wait()
	if w.why == "" && w.ctx.Err() != nil {
		return whyEnded(w.ctx)
	}
	return w.why
}

// search is porcupine's. A step that was broken off looks like one that cannot be, so that its result
// counts only if end finds nothing.
func (w *watcher) search(ops []Op, witness bool) (result porcupine.CheckResult, order []uint32) {
	calls := make([]porcupine.Operation, len(ops))
	for i := range ops {
		calls[i] = porcupine.Operation{ClientId: i, Input: &ops[i], Call: ops[i].Call, Return: ops[i].Return}
	}
	model := porcupine.Model{
		Init: func() interface{} { return held{} },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			if w.broke.Load() {
				return false, state
			}
			now, o := state.(held), input.(*Op)
			after, ok := now.step(o)
			if !ok && o.Action == Swap && o.inDoubt() {
				return true, now
			}
			return ok, after
		},
	}
	result = porcupine.CheckOperationsTimeout(model, calls, 0)
	if result != porcupine.Ok || !witness || len(ops) == 0 || w.broke.Load() {
		return result, nil
	}
	// It tells the order only if it keeps one for each operation while it searches, which takes a multiple of the memory
	// where there is none; so it is asked twice.
	_, info := porcupine.CheckOperationsVerbose(model, calls, 0)
	if found := info.PartialLinearizations(); len(found) == 1 && len(found[0]) > 0 {
		order = applied(ops, found[0][0])
	}
	return result, order
}

// applied leaves out of an order of porcupine's the compare-and-sets in doubt that did nothing where they stand.
func applied(ops []Op, order []int) (rest []uint32) {
	now := held{}
	for _, i := range order {
		after, ok := now.step(&ops[i])
		if ok {
			now = after
			rest = append(rest, uint32(i))
		}
	}
	return rest
}
