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
	known := []peer{{"a", "10.0.0.1:7001", true}, {"b", "10.0.0.2:7001", true}}
	var deleted []string
	barriers, lost := 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /v1/operator/raft/configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"Servers": known})
		case "DELETE /v1/operator/raft/peer":
			if deleted = append(deleted, r.URL.Query().Get("id")); deleted[0] == "a" {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
			known = slices.DeleteFunc(known, func(p peer) bool { return p.ID == r.URL.Query().Get("id") })
		case "DELETE /v1/kv/sunder/nothing":
			if barriers++; lost {
				known = append(known, peer{"b", "10.0.0.2:7001", true})
			}
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
	require.Equal(t, []string{"b"}, deleted)
	require.Equal(t, 1, barriers, "what was not removed by this very request is proved by what is committed after it")
	lost = true
	require.ErrorContains(t, target.RemoveMember(ctx, asked, n2), "its removal was lost")
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "the leader has not added it yet", "it is the one that is to go")
	lost = false
	require.NoError(t, target.RemoveMember(ctx, asked, n2))
	require.NoError(t, target.AddMember(ctx, asked, n2))
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "the leader has not added it yet")
	known = append(known, peer{"c", "10.0.0.2:7001", false})
	require.ErrorContains(t, target.PromoteMember(ctx, asked, n2), "it has no vote yet")
	known[1].Voter = true
	require.NoError(t, target.PromoteMember(ctx, asked, n2))
	deleted = nil
	n1 := harness.Member{Name: "n1", Addr: map[string]string{portRPC: "10.0.0.1:7001"}}
	require.ErrorContains(t, target.RemoveMember(ctx, asked, n1), `remove n1: 500 Internal Server Error: "no\n"`)
}
