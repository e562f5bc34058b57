package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/sunder-dev/sunder/harness"
)

// RemoveMember implements [harness.Membered], as 'etcdctl member remove' does it.
func (t *Target) RemoveMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	c, known, err := t.find(ctx, asked, m)
	if err != nil || known == nil {
		return err
	}
	if _, err := c.MemberRemove(ctx, &etcdserverpb.MemberRemoveRequest{ID: known.ID}); err != nil {
		return fmt.Errorf("remove %s: %w", m.Name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.members, known.ID) // it is nobody's by now
	return nil
}

// AddMember implements [harness.Membered]: as a learner, as etcd's documentation advises, so that one that cannot be
// reached yet does not count.
func (t *Target) AddMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	c, known, err := t.find(ctx, asked, m)
	if err != nil || known != nil {
		return err
	}
	request := &etcdserverpb.MemberAddRequest{PeerURLs: []string{peerURL(m)}, IsLearner: true}
	if _, err := c.MemberAdd(ctx, request); err != nil {
		return fmt.Errorf("add %s: %w", m.Name, err)
	}
	return nil
}

// PromoteMember implements [harness.Membered]. etcd refuses as long as the learner is behind.
func (t *Target) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	c, known, err := t.find(ctx, asked, m)
	switch {
	case err != nil:
		return err
	case known == nil:
		return errors.New("it is no member")
	case !known.IsLearner:
		return nil
	}
	if _, err := c.MemberPromote(ctx, &etcdserverpb.MemberPromoteRequest{ID: known.ID}); err != nil {
		return fmt.Errorf("promote %s: %w", m.Name, err)
	}
	return nil
}

// find returns the member at an address as the cluster knows it; nil if there is none. A quorum answers,
// from 3.5 on.
func (t *Target) find(
	ctx context.Context, asked harness.Node, m harness.Member,
) (etcdserverpb.ClusterClient, *etcdserverpb.Member, error) {
	conn, err := t.conn(asked)
	if err != nil {
		return nil, nil, err
	}
	c := etcdserverpb.NewClusterClient(conn)
	all, err := c.MemberList(ctx, &etcdserverpb.MemberListRequest{Linearizable: true})
	if err != nil {
		return nil, nil, fmt.Errorf("list members: %w", err)
	}
	for _, known := range all.Members {
		if slices.Contains(known.PeerURLs, peerURL(m)) {
			return c, known, nil
		}
	}
	return c, nil, nil
}

func peerURL(m harness.Member) string { return "http://" + m.Addr[portPeer] }
