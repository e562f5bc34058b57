package harnesstest

import (
	"context"
	"errors"

	"github.com/sunder-dev/sunder/harness"
)

// Leaderless is a fake cluster as a target whose members tell nothing of leaders: all are alike.
type Leaderless struct{ Fake *Fake }

// Ports implements [harness.Target].
func (l Leaderless) Ports() []string { return l.Fake.Ports() }

// Spec implements [harness.Target].
func (l Leaderless) Spec(p harness.Placement) harness.NodeSpec { return l.Fake.Spec(p) }

// Can implements [harness.Target].
func (l Leaderless) Can() []harness.Capability { return []harness.Capability{harness.KV, harness.CAS} }

// Ready implements [harness.Target].
func (l Leaderless) Ready(ctx context.Context, n harness.Node) error {
	if err := n.(*node).wait(ctx); err != nil {
		return err
	}
	l.Fake.mu.Lock()
	defer l.Fake.mu.Unlock()
	if !l.Fake.serves(n.Name()) {
		return errors.New("it reaches no majority")
	}
	return nil
}

// Dial implements [harness.Target].
func (l Leaderless) Dial(ctx context.Context, n harness.Node) (harness.Client, error) {
	return l.Fake.Dial(ctx, n)
}
