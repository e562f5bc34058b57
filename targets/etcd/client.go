package etcd

import (
	"context"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Client talks to one member, by the generated client of etcd's API. clientv3 is not used: it has a
// balancer, it tries again, and it waits for a connection, which makes a refused one, that is
// a proof, into a timeout, that is a maybe.
type Client struct {
	conn         *grpc.ClientConn
	kv           etcdserverpb.KVClient
	lease        etcdserverpb.LeaseClient
	serializable bool
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	conn, err := dial(n.Addr(portClient))
	if err != nil {
		return nil, err
	}
	return &Client{
		conn: conn, kv: etcdserverpb.NewKVClient(conn), lease: etcdserverpb.NewLeaseClient(conn),
		serializable: t.Serializable,
	}, nil
}

// reconnect is how soon a client tries again to connect to a member that was down.
var reconnect = grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay:  20 * time.Millisecond,
		Multiplier: 1.5,
		Jitter:     0.2,
		MaxDelay:   200 * time.Millisecond,
	},
	MinConnectTimeout: time.Second,
}

// dial returns a connection to one address. It makes one attempt at each call: a write that is sent
// again may happen twice, and that would be our bug.
func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDisableRetry(), grpc.WithConnectParams(reconnect))
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Read returns the value of a key, or nil if there is none.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	r, err := c.kv.Range(ctx, &etcdserverpb.RangeRequest{Key: []byte(key), Serializable: c.serializable})
	if err != nil {
		return nil, history.Stamp{}, judge(err)
	}
	value, at := held(r.Header, r.Kvs)
	return value, at, nil
}

// held is what a key holds, and since when, by an answer.
func held(h *etcdserverpb.ResponseHeader, kvs []*mvccpb.KeyValue) (*string, history.Stamp) {
	at := stamp(h)
	if len(kvs) == 0 {
		return nil, at
	}
	value := string(kvs[0].Value)
	at.Version = uint64(kvs[0].ModRevision)
	return &value, at
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	r, err := c.kv.Put(ctx, &etcdserverpb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil {
		return history.Stamp{}, judge(err)
	}
	return written(r.Header), nil
}

// CompareAndSet sets a key if it holds old.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	r, err := c.kv.Txn(ctx, &etcdserverpb.TxnRequest{
		Compare: []*etcdserverpb.Compare{{
			Key: []byte(key), Target: etcdserverpb.Compare_VALUE, Result: etcdserverpb.Compare_EQUAL,
			TargetUnion: &etcdserverpb.Compare_Value{Value: []byte(old)},
		}},
		Success: []*etcdserverpb.RequestOp{{Request: &etcdserverpb.RequestOp_RequestPut{
			RequestPut: &etcdserverpb.PutRequest{Key: []byte(key), Value: []byte(value)},
		}}},
		Failure: []*etcdserverpb.RequestOp{{Request: &etcdserverpb.RequestOp_RequestRange{
			RequestRange: &etcdserverpb.RangeRequest{Key: []byte(key)},
		}}},
	})
	if err != nil {
		return history.Stamp{}, judge(err)
	}
	if !r.Succeeded {
		// Proof: the transaction went through the log and was applied, and comparing was all it did.
		// What the key held instead is of the same moment.
		if len(r.Responses) != 1 {
			return stamp(r.Header), harness.Refusal{Reason: history.Mismatch}
		}
		value, at := held(r.Header, r.Responses[0].GetResponseRange().GetKvs())
		return at, harness.Refusal{Reason: history.Mismatch, Found: value, Known: true}
	}
	return written(r.Header), nil
}

// stamp is what every answer tells.
func stamp(h *etcdserverpb.ResponseHeader) history.Stamp {
	return history.Stamp{Revision: uint64(h.GetRevision()), Term: h.GetRaftTerm()}
}

// written is the stamp of a change: it has made the revision that the answer tells.
func written(h *etcdserverpb.ResponseHeader) history.Stamp {
	s := stamp(h)
	s.Version = s.Revision
	return s
}
