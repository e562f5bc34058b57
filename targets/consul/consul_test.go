package consul

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhichAnswersAreProofs(t *testing.T) {
	for _, c := range []struct {
		code    int
		message string
		proof   bool
	}{
		{500, "No cluster leader", true},
		{429, "Your IP is issuing too many concurrent connections", true},
		{400, "Missing key name", true},
		{403, "Permission denied", true},
		{413, "Request body too large", true},
		{500, "leadership lost while committing log", false},
		{500, "node is not the leader", false},
		{500, "rpc error making call: No cluster leader", false},
		{500, "rpc error getting client: failed to get conn: dial tcp", false},
		{500, "raft is already shutdown", false},
		{502, "No cluster leader", false},
		{503, "", false},
	} {
		require.Equal(t, c.proof, errors.Is(judge(c.code, c.message), harness.ErrNotApplied), "%d %s", c.code, c.message)
	}
	for _, o := range outcomes {
		require.Greater(t, len(o.why), 20, o.message)
	}
}

type aNode struct {
	harness.Node
	addr string
}

func (n aNode) Name() string       { return "n1" }
func (n aNode) Addr(string) string { return n.addr }

// script is a server that answers from a list, and remembers what it was asked.
type script struct {
	answers []string // code, X-Consul-Index and body, by spaces
	asked   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	parts := strings.SplitN(s.answers[0], " ", 3)
	s.answers = s.answers[1:]
	w.Header().Set("X-Consul-Index", parts[1])
	w.WriteHeader(map[string]int{"200": 200, "404": 404, "500": 500}[parts[0]])
	_, _ = w.Write([]byte(parts[2]))
}

func client(t *testing.T, c Consistency, answers ...string) (*script, *Client) {
	s := &script{answers: answers}
	server := httptest.NewServer(s)
	target, err := New(DefaultVersion, c, nil)
	require.NoError(t, err)
	conn, err := target.Dial(t.Context(), aNode{addr: server.Listener.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(conn.Close(), target.Close())); server.Close() })
	return s, conn.(*Client)
}

const held = `[{"Key":"k","CreateIndex":3,"ModifyIndex":7,"Value":"NDI="}]` // 42

func TestTheClient(t *testing.T) {
	s, c := client(t, Consistent, "200 9 "+held, "404 9 ", "200 9 true", "200 9 "+held, "200 9 true", "200 9 "+held, "200 9 false", "200 9 "+held)
	value, at, err := c.Read(t.Context(), "k/1")
	require.NoError(t, err)
	require.Equal(t, "42", *value)
	require.Equal(t, history.Stamp{Version: 7, Revision: 9}, at)
	value, at, err = c.Read(t.Context(), "k")
	require.NoError(t, err)
	require.Nil(t, value)
	require.Equal(t, history.Stamp{Revision: 9}, at)
	_, err = c.Write(t.Context(), "k", "1")
	require.NoError(t, err)
	_, err = c.CompareAndSet(t.Context(), "k", "42", "2")
	require.NoError(t, err)
	_, err = c.CompareAndSet(t.Context(), "k", "42", "2")
	require.ErrorIs(t, err, harness.ErrNotApplied)
	require.NotErrorAs(t, err, new(harness.Refusal), "another index is no other value")
	_, err = c.CompareAndSet(t.Context(), "k", "41", "2")
	require.ErrorAs(t, err, new(harness.Refusal))
	require.Equal(t, []string{
		"GET /v1/kv/k%2F1?consistent", "GET /v1/kv/k?consistent", "PUT /v1/kv/k",
		"GET /v1/kv/k?consistent", "PUT /v1/kv/k?cas=7", "GET /v1/kv/k?consistent", "PUT /v1/kv/k?cas=7", "GET /v1/kv/k?consistent",
	}, s.asked, "each call is made once")
}

// What a read that may be stale says of the value is no observation of it.
func TestStaleReadsProveNoMismatch(t *testing.T) {
	for consistency, query := range map[Consistency]string{Stale: "?stale", Default: ""} {
		s, c := client(t, consistency, "200 9 "+held)
		_, err := c.CompareAndSet(t.Context(), "k", "41", "2")
		require.ErrorIs(t, err, harness.ErrNotApplied)
		require.NotErrorAs(t, err, new(harness.Refusal))
		require.Equal(t, []string{"GET /v1/kv/k" + query}, s.asked)
	}
}

// A 404 that is not Consul's own says nothing of a key.
func TestNotFoundNeedsAnIndex(t *testing.T) {
	_, c := client(t, Consistent, "404 0 no such page")
	_, _, err := c.Read(t.Context(), "k")
	require.ErrorContains(t, err, "404: no such page")
}

func TestARefusedConnectionIsAProof(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	c, err := target.Dial(t.Context(), aNode{addr: l.Addr().String()})
	require.NoError(t, err)
	_, err = c.(*Client).Write(t.Context(), "k", "1")
	require.ErrorIs(t, err, harness.ErrNotApplied)
}

func TestStatusAndHash(t *testing.T) {
	self := `{"Member":{"Addr":"10.0.0.2","Tags":{"port":"7001"}},"Stats":{"consul":{"leader_addr":"10.0.0.2:7001"},
		"raft":{"state":"Leader","term":"5","commit_index":"40","applied_index":"39"}}}`
	s := &script{answers: []string{"200 1 " + self, "200 12 " + held, "200 1 " + self, "200 41 " + held, "200 1 " + self, "500 0 no"}}
	server := httptest.NewServer(s)
	defer server.Close()
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	defer target.Close()
	n := aNode{addr: server.Listener.Addr().String()}
	status, err := target.Status(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, history.Status{Role: "leader", Term: 5, Leader: "n1", Vague: true, Commit: 40, Applied: 39}, status)
	h, err := target.Hash(t.Context(), n, 3)
	require.NoError(t, err)
	require.Equal(t, uint64(12), h.Revision)
	require.Contains(t, h.Sum, "of 1 keys")
	_, err = target.Hash(t.Context(), n, 3)
	require.ErrorContains(t, err, "not that of the server itself")
	_, err = target.Hash(t.Context(), n, 3)
	require.Error(t, err)
}

func TestClaims(t *testing.T) {
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	for line, want := range map[string]uint64{
		`{"@level":"info","@message":"election won","@module":"agent.server.raft","tally":2,"term":3}`: 3,
		`{"@level":"info","@message":"a key: \"election won\"","@module":"agent.http","term":3}`:       0,
		`{"@level":"info","@message":"election won","@module":"agent.http","term":3}`:                  0,
		`election won: term=3 tally=2`: 0,
	} {
		term, ok := target.Claim([]byte(line))
		require.Equal(t, want, term, line)
		require.Equal(t, want > 0, ok)
	}
}

func TestTell(t *testing.T) {
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	for line, want := range map[string]history.Told{
		`{"@message":"entering candidate state","@module":"agent.server.raft","node":{},"term":7}`: {What: history.ToldCandidate, Term: 7},
		`{"@message":"Installed remote snapshot","@module":"agent.server.raft"}`:                   {What: history.ToldInstalledSnapshot},
		`{"@message":"entering candidate state","@module":"agent.http","term":7}`:                  {},
		`entering candidate state: term=7`:                                                         {},
	} {
		told, ok := target.Tell([]byte(line))
		require.Equal(t, want.What, told.What, line)
		require.Equal(t, want.Term, told.Term, line)
		require.Equal(t, want.What != "", ok, line)
	}
}

func TestSpec(t *testing.T) {
	target, err := New(DefaultVersion, "", []string{"-log-level=DEBUG"})
	require.NoError(t, err)
	spec := target.Spec(harness.Placement{Node: "n2", DataDir: "/data", Members: []harness.Member{
		{Name: "n1", Addr: map[string]string{"rpc": "10.0.0.2:7001", "gossip": "10.0.0.2:7002", "http": "10.0.0.2:7003"}},
		{Name: "n2", Addr: map[string]string{"rpc": "10.0.0.3:7001", "gossip": "10.0.0.3:7002", "http": "10.0.0.3:7003"}},
	}})
	command := strings.Join(spec.Command, " ")
	for _, want := range []string{
		"-node=n2", "-bootstrap-expect=2", "-bind=10.0.0.3", "-retry-join=10.0.0.2:7002", "-retry-join=10.0.0.3:7002",
		"server = 7001", "serf_lan = 7002", "http = 7003", "-data-dir=/data/consul", "cleanup_dead_servers = false",
	} {
		require.Contains(t, command, want)
	}
	require.True(t, strings.HasSuffix(command, "-log-level=DEBUG"))
	require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, nodeID("n1", 0))
	require.NotEqual(t, nodeID("n1", 0), nodeID("n2", 0))
	require.NotEqual(t, nodeID("n1", 0), nodeID("n1", 1), "one that comes in its place is another")
}

func TestNewRefuses(t *testing.T) {
	_, err := New("1.21", "", nil)
	require.ErrorContains(t, err, `no version "1.21"`)
	_, err = New("v1.12.9", "", nil)
	require.ErrorContains(t, err, "versions before v1.16.0")
	_, err = New(DefaultVersion, "eventual", nil)
	require.ErrorContains(t, err, "known are consistent, default, stale")
	require.Empty(t, Recipe("v1.16.3").Licence)
	require.NotEmpty(t, Recipe("v1.16.4").Licence)
}

// Flags that may change the timing of elections make it unknown.
func TestTiming(t *testing.T) {
	for flag, known := range map[string]bool{"-log-level=trace": true, "-hcl=performance { raft_multiplier = 5 }": false, "-config-file=x.hcl": false} {
		target, err := New(DefaultVersion, "", []string{flag})
		require.NoError(t, err)
		require.Equal(t, known, target.Timing() != history.Timing{}, flag)
		require.NoError(t, target.Close())
	}
}

func TestTarget(t *testing.T) {
	target, err := New(DefaultVersion, "", nil)
	require.NoError(t, err)
	defer target.Close()
	targettest.Test(t, targettest.Config{Target: target})
}
