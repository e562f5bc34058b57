package consul

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// A server is removed by its address, once; it counts when it has a vote.
func TestMembers(t *testing.T) {
	type peer struct {
		Address string
		Voter   bool
	}
	known := []peer{{"10.0.0.1:7001", true}, {"10.0.0.2:7001", true}}
	var deleted []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /v1/operator/raft/configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"Servers": known})
		case "DELETE /v1/operator/raft/peer":
			if deleted = append(deleted, r.URL.Query().Get("address")); deleted[0] == "10.0.0.1:7001" {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
			known = slices.DeleteFunc(known, func(p peer) bool { return p.Address == r.URL.Query().Get("address") })
		}
	}))
	defer server.Close()
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, target.Close()) }()
	asked := aNode{addr: strings.TrimPrefix(server.URL, "http://")}
	n2 := harness.Member{Name: "n2", Addr: map[string]string{portRPC: "10.0.0.2:7001"}}
	ctx := t.Context()

	require.NoError(t, target.PromoteMember(ctx, asked, n2))
	for range 2 {
		require.NoError(t, target.RemoveMember(ctx, asked, n2))
	}
	require.Equal(t, []string{"10.0.0.2:7001"}, deleted)
	require.NoError(t, target.AddMember(ctx, asked, n2))
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "the leader has not added it yet")
	known = append(known, peer{"10.0.0.2:7001", false})
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "it has no vote yet")
	known[1].Voter = true
	require.NoError(t, target.PromoteMember(ctx, asked, n2))
	deleted = nil
	n1 := harness.Member{Name: "n1", Addr: map[string]string{portRPC: "10.0.0.1:7001"}}
	require.ErrorContains(t, target.RemoveMember(ctx, asked, n1), `remove n1: 500 Internal Server Error: "no\n"`)
}
