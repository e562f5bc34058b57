package harness

import (
	"context"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Judge looks at the history while it grows. What it finds is said at once; the verdict is that of the whole history.
type Judge interface {
	// See is shown each event once it is recorded, in their order. It must not wait for anything.
	See(e history.Event)
	// Findings are the violations, as soon as they are found.
	Findings() <-chan history.Finding
}

// heedJudge notes what the judge finds; if the test is to fail fast, the first finding ends the load. Nothing of it
// goes on once stop has returned.
func (r *run) heedJudge() (stop func()) {
	if r.Judge == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-quit:
				return
			case f, ok := <-r.Judge.Findings():
				if !ok {
					return
				}
				r.note(history.FFinding, f)
				r.found.CompareAndSwap(nil, &f)
				if r.FailFast {
					r.endLoad()
				}
			}
		}
	})
	return func() { close(quit); wait.Wait() }
}

// hasty is for how long, at the most, a run that was ended by a finding waits for the cluster to come to itself.
const hasty = 3 * time.Second

// patience is for how long the cluster may take to recover.
func (r *run) patience() time.Duration {
	if r.cutShort() {
		return min(r.RecoverTimeout, hasty)
	}
	return r.RecoverTimeout
}

// cutShort reports whether a finding has ended the load.
func (r *run) cutShort() bool { return r.FailFast && r.found.Load() != nil }

// loading returns a context of the load, which ends with ctx, or with the first finding of a test that is to fail fast.
func (r *run) loading(ctx context.Context) context.Context {
	ctx, r.endLoad = context.WithCancel(ctx)
	return ctx
}
