package docker

import (
	"context"
	"fmt"
	"time"
)

// pullPatience is how long a registry may be silent.
const pullPatience = 20 * time.Second

// stall ends a context when nothing has moved for a while.
type stall struct {
	timer    *time.Timer
	patience time.Duration
	cancel   context.CancelCauseFunc
}

func newStall(ctx context.Context, patience time.Duration) (context.Context, *stall) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stall{patience: patience, cancel: cancel}
	s.timer = time.AfterFunc(patience, func() { cancel(fmt.Errorf("no answer within %v", patience)) })
	return ctx, s
}

func (s *stall) moved() { s.timer.Reset(s.patience) }

func (s *stall) stop() {
	s.timer.Stop()
	s.cancel(nil)
}
