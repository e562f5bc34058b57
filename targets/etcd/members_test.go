package etcd

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sunder-dev/sunder/harness"
)

// registry is what a cluster knows of its members, as etcd's API tells it.
type registry struct {
	etcdserverpb.UnimplementedClusterServer
	members []*etcdserverpb.Member
	behind  int // for how many promotions a learner is behind
}

func (r *registry) MemberList(
	_ context.Context, q *etcdserverpb.MemberListRequest,
) (*etcdserverpb.MemberListResponse, error) {
	if !q.Linearizable {
		return nil, status.Error(codes.InvalidArgument, "the state of one member is asked for")
	}
	return &etcdserverpb.MemberListResponse{Members: r.members}, nil
}

func (r *registry) MemberAdd(
	_ context.Context, q *etcdserverpb.MemberAddRequest,
) (*etcdserverpb.MemberAddResponse, error) {
	m := &etcdserverpb.Member{ID: uint64(len(r.members)) + 100, PeerURLs: q.PeerURLs, IsLearner: q.IsLearner}
	r.members = append(r.members, m)
	return &etcdserverpb.MemberAddResponse{Member: m}, nil
}

func (r *registry) MemberRemove(
	_ context.Context, q *etcdserverpb.MemberRemoveRequest,
) (*etcdserverpb.MemberRemoveResponse, error) {
	for i, m := range r.members {
		if m.ID == q.ID {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			return &etcdserverpb.MemberRemoveResponse{}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "etcdserver: member not found")
}

func (r *registry) MemberPromote(
	_ context.Context, q *etcdserverpb.MemberPromoteRequest,
) (*etcdserverpb.MemberPromoteResponse, error) {
	if r.behind--; r.behind >= 0 {
		return nil, status.Error(codes.FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader")
	}
	for _, m := range r.members {
		if m.ID == q.ID {
			m.IsLearner = false
		}
	}
	return &etcdserverpb.MemberPromoteResponse{}, nil
}

// A member is removed, added as a learner and promoted by its address, and asking twice changes nothing.
func TestMembers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &registry{behind: 1, members: []*etcdserverpb.Member{
		{ID: 1, PeerURLs: []string{"http://10.0.0.1:7001"}}, {ID: 2, PeerURLs: []string{"http://10.0.0.2:7001"}},
	}}
	server := grpc.NewServer()
	etcdserverpb.RegisterClusterServer(server, r)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, target.Close()) }()
	target.members[2] = "n2"
	asked, n2 := aNode{addr: listener.Addr().String()}, harness.Member{Name: "n2", Addr: map[string]string{portPeer: "10.0.0.2:7001"}}
	ctx := t.Context()

	for range 2 {
		require.NoError(t, target.RemoveMember(ctx, asked, n2))
		require.Len(t, r.members, 1)
		require.NotContains(t, target.members, uint64(2), "leadership is not handed to it")
	}
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "it is no member")
	for range 2 {
		require.NoError(t, target.AddMember(ctx, asked, n2))
		require.Len(t, r.members, 2)
		require.True(t, r.members[1].IsLearner)
	}
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "in sync with leader")
	for range 2 {
		require.NoError(t, target.PromoteMember(ctx, asked, n2))
		require.False(t, r.members[1].IsLearner)
	}
	server.Stop()
	require.Error(t, target.RemoveMember(ctx, asked, n2))
}

// One that joins is told so, and who the others are by then.
func TestSpecOfAMemberThatJoins(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	p := placement()
	require.Contains(t, target.Spec(p).Command, "--initial-cluster-state=new")
	p.Joins = true
	require.Contains(t, target.Spec(p).Command, "--initial-cluster-state=existing")
}
