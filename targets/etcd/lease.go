package etcd

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Grant sets a key, if it is not there, under a lease of its own, whose number is the value.
func (c *Client) Grant(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error) {
	lease, err := c.lease.LeaseGrant(ctx, &etcdserverpb.LeaseGrantRequest{ID: int64(value), TTL: int64(ttl / time.Second)})
	if err != nil {
		return 0, judge(err)
	}
	r, err := c.kv.Txn(ctx, &etcdserverpb.TxnRequest{
		Compare: []*etcdserverpb.Compare{{
			Key: []byte(key), Target: etcdserverpb.Compare_CREATE, Result: etcdserverpb.Compare_EQUAL,
			TargetUnion: &etcdserverpb.Compare_CreateRevision{CreateRevision: 0},
		}},
		Success: []*etcdserverpb.RequestOp{{Request: &etcdserverpb.RequestOp_RequestPut{RequestPut: &etcdserverpb.PutRequest{
			Key: []byte(key), Value: []byte(strconv.FormatUint(value, 10)), Lease: int64(value),
		}}}},
	})
	switch {
	case err != nil && isGone(err):
		return 0, harness.Refusal{Reason: history.Gone} // Proof: what has no lease was not put
	case err != nil:
		return 0, judge(err)
	case !r.Succeeded:
		// Proof: the transaction was applied, and comparing was all it did. The lease has no key, and runs out.
		return 0, harness.Refusal{Reason: history.Taken}
	}
	return time.Duration(lease.TTL) * time.Second, nil
}

// KeepAlive gives a lease its time again.
func (c *Client) KeepAlive(ctx context.Context, _ string, value uint64, _ time.Duration) (time.Duration, error) {
	stream, err := c.lease.LeaseKeepAlive(ctx)
	if err != nil {
		return 0, judge(err)
	}
	if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(value)}); err != nil {
		return 0, judge(err)
	}
	r, err := stream.Recv()
	switch {
	case err != nil:
		return 0, judge(err)
	case r.TTL <= 0:
		return 0, harness.Refusal{Reason: history.Gone} // Proof: it says so of a lease that it does not find (v3rpc/lease.go)
	}
	_ = stream.CloseSend() // it was answered
	return time.Duration(r.TTL) * time.Second, nil
}

// Revoke ends a lease.
func (c *Client) Revoke(ctx context.Context, _ string, value uint64) error {
	_, err := c.lease.LeaseRevoke(ctx, &etcdserverpb.LeaseRevokeRequest{ID: int64(value)})
	switch {
	case err == nil:
		return nil
	case isGone(err):
		return harness.Refusal{Reason: history.Gone}
	}
	return judge(err)
}

// isGone reports whether an error says that there is no such lease.
func isGone(err error) bool {
	return strings.Contains(err.Error(), "etcdserver: requested lease not found")
}
