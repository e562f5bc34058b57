package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/sunder-dev/sunder/harness"
)

// Operate implements [harness.Operated], as etcdctl does it.
func (t *Target) Operate(ctx context.Context, n harness.Node, what harness.Capability) error {
	c, err := t.asking(n)
	if err != nil {
		return err
	}
	switch what {
	case harness.MoveLeader:
		return t.moveLeader(ctx, c)
	case harness.Defragment:
		_, err = c.Defragment(ctx, &etcdserverpb.DefragmentRequest{})
	case harness.SaveSnapshot:
		err = readSnapshot(ctx, c)
	case harness.Compact:
		return t.compact(ctx, n, c)
	default:
		return fmt.Errorf("%s: %w", what, harness.ErrNotApplied) // nothing was asked
	}
	if err != nil {
		return judge(err)
	}
	return nil
}

// moveLeader lets a member hand over to the next one by id. Only the leader can, and of who leads no other member's
// word is taken.
func (t *Target) moveLeader(ctx context.Context, c etcdserverpb.MaintenanceClient) error {
	s, err := c.Status(ctx, &etcdserverpb.StatusRequest{})
	if err != nil {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // it was not asked yet
	}
	self := s.Header.MemberId
	t.mu.Lock()
	ids := slices.Sorted(maps.Keys(t.members))
	t.mu.Unlock()
	if s.Leader != self || len(ids) < 2 {
		return fmt.Errorf("it does not lead, or knows nobody else: %w", harness.ErrNotApplied) // nor here
	}
	at, _ := slices.BinarySearch(ids, self)
	_, err = c.MoveLeader(ctx, &etcdserverpb.MoveLeaderRequest{TargetID: ids[(at+1)%len(ids)]})
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "not leader"): // it looks before it begins (v3rpc/maintenance.go: MoveLeader)
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
	}
	return judge(err)
}

// compact lets the cluster forget what keys held before the newest revision that a member has applied, as Kubernetes
// does every five minutes with what is older than that.
func (t *Target) compact(ctx context.Context, n harness.Node, c etcdserverpb.MaintenanceClient) error {
	s, err := c.Status(ctx, &etcdserverpb.StatusRequest{})
	if err != nil {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // it was not asked yet
	}
	conn, err := t.conn(n)
	if err != nil {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nor here
	}
	_, err = etcdserverpb.NewKVClient(conn).Compact(ctx, &etcdserverpb.CompactionRequest{Revision: s.Header.Revision})
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "has been compacted"): // another member was asked for as much before
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
	}
	return judge(err)
}

// readSnapshot reads a snapshot to its end and throws it away. Nothing is changed by it: an error means that there is
// none.
func readSnapshot(ctx context.Context, c etcdserverpb.MaintenanceClient) error {
	stream, err := c.Snapshot(ctx, &etcdserverpb.SnapshotRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
}
