package checkers

import (
	"context"
	"fmt"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sunder-dev/sunder/harness/history"
)

// search is porcupine on a budget.
type search struct {
	deadline time.Time
	broke    atomic.Bool // the memory budget, or the caller's patience, is at its end
	cause    atomic.Value
}

// newSearch watches the budget until stop is called.
func newSearch(ctx context.Context, b Budget) (s *search, stop func()) {
	s = &search{deadline: time.Now().Add(b.Time)}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-quit:
				return
			case <-ctx.Done():
				s.stop("interrupted")
				return
			case <-tick.C:
			}
			metrics.Read(heap)
			if heap[0].Value.Uint64() > b.Memory {
				s.stop("out of its memory budget")
				return
			}
		}
	})
	return s, func() { close(quit); wait.Wait() }
}

func (s *search) stop(cause string) {
	s.cause.Store(cause)
	s.broke.Store(true)
}

// reason says why a search gave up.
func (s *search) reason() string {
	if cause, ok := s.cause.Load().(string); ok {
		return cause
	}
	return "out of its time budget"
}

// decideSafely is decide on a goroutine of its own, where a crash would take the process with it.
func (s *search) decideSafely(ops []op) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			s.stop(fmt.Sprintf("the search crashed: %v", p))
			v = Unknown
		}
	}()
	return s.decide(ops)
}

// decide says whether a key's operations are linearizable.
func (s *search) decide(ops []op) Verdict {
	// First the part that is quick to refute.
	observations, doubts := withoutUnobserved(ops)
	if v := s.legal(observations); v != Valid || len(observations) == len(ops) {
		return v
	}
	// Then with the differences, which nothing in doubt may be needed to explain: whatever was
	// left out can come last, where nobody sees it.
	if v := s.legal(doubts); v == Valid || len(doubts) == len(ops) {
		return v
	}
	return s.legal(ops)
}

// legal says whether an order explains the operations as they are: at once, if their values are unique, and
// otherwise by searching for it.
func (s *search) legal(ops []op) Verdict {
	if s.broke.Load() {
		return Unknown
	}
	if v, ok := unique(ops); ok {
		return v
	}
	return s.searched(ops)
}

// searched is legal by porcupine, whatever the operations are.
func (s *search) searched(ops []op) Verdict {
	left := time.Until(s.deadline)
	if left <= 0 || s.broke.Load() {
		return Unknown
	}
	calls := make([]porcupine.Operation, len(ops))
	for i := range ops {
		calls[i] = porcupine.Operation{ClientId: i, Input: &ops[i], Call: int64(ops[i].call), Return: int64(ops[i].ret)}
	}
	result := porcupine.CheckOperationsTimeout(s.model(), calls, left)
	switch {
	case s.broke.Load():
		return Unknown // a step that was stopped looks like a step that is illegal
	case result == porcupine.Ok:
		return Valid
	case result == porcupine.Illegal:
		return Invalid
	default:
		return Unknown
	}
}

// model is a register. An operation in doubt may take effect or not: a write in doubt that did not
// is as good as one that came after everything else, and a compare-and-set in doubt does nothing
// where it finds another value.
func (s *search) model() porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return absent },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			if s.broke.Load() {
				return false, state
			}
			now, o := state.(string), input.(*op)
			switch o.action {
			case reads:
				return o.value == now, now
			case differ:
				return o.old != now, now
			case writes:
				return true, o.value
			default:
				if o.old == now {
					return true, o.value
				}
				return o.ret == history.Never, now
			}
		},
	}
}
