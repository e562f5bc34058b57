package harnesstest

import (
	"context"
	"fmt"
	"time"
)

// Eventually looks again and again until something is so, for as long as patience. The error says what never came to
// be.
func Eventually(ctx context.Context, patience time.Duration, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it never came to be that %s", what)
		case <-tick.C:
		}
	}
	return nil
}
