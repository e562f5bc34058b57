package described

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/targets/described/maelstrom"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/targets/targettest"
)

func TestMain(m *testing.M) {
	raft.ServeIfNode()
	maelstrom.ServeIfNode()
	if len(os.Args) == 3 && os.Args[1] == "driver" {
		play(os.Args[2])
		return
	}
	goleak.VerifyTestMain(m)
}

// raftAsDescribed is the built-in Raft, which this program is too.
func raftAsDescribed(t *testing.T, replace ...string) harness.Target {
	text, err := os.ReadFile("testdata/raft.yaml")
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	d, err := Parse("raft.yaml", []byte(strings.NewReplacer(append(replace, "PROGRAM", program)...).Replace(string(text))))
	require.NoError(t, err)
	target, err := New(*d)
	require.NoError(t, err)
	return target
}

func TestTarget(t *testing.T) {
	targettest.Test(t, targettest.Config{Target: raftAsDescribed(t), Fleet: func() (harness.Fleet, error) {
		return local.New(t.TempDir(), 0), nil
	}})
}

// The examples of the documentation are targets, too: of systems that cannot compare and set.
func TestTheExamplesInPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no python3")
		}
		t.Skip("no python3")
	}
	for _, example := range []string{"python/store", "python/driven"} {
		t.Run(example, func(t *testing.T) {
			d, err := Read("../../docs/examples/" + example + ".yaml")
			require.NoError(t, err)
			target, err := New(*d)
			require.NoError(t, err)
			defer func() { require.NoError(t, target.(io.Closer).Close()) }()
			require.NotContains(t, target.Can(), harness.CAS)
			targettest.Test(t, targettest.Config{Target: target, Fleet: func() (harness.Fleet, error) {
				return local.New(t.TempDir(), 0), nil
			}})
		})
	}
}

// A target is what its members tell: nobody waits for what they do not say.
func TestWhatMembersTell(t *testing.T) {
	place := harness.Placement{Node: "n2", DataDir: "/data", Seed: 7}
	for _, name := range harness.NodeNames(2) {
		place.Members = append(place.Members, harness.Member{Name: name, Addr: map[string]string{"peer": name + ":1", "client": name + ":2"}})
	}
	all := raftAsDescribed(t)
	spec := all.Spec(place)
	require.Contains(t, spec.Command, "--peers=n1=n1:1,n2=n2:1")
	require.Equal(t, []string{"WHO=n2 of 2"}, spec.Env)
	require.Contains(t, all.Can(), harness.Leader)
	require.Equal(t, []string{"leader"}, all.(harness.Judged).Checkers())
	term, ok := all.(harness.Witness).Claim([]byte(`{"msg":"became leader","node":"n1","term":12}`))
	require.True(t, ok)
	require.Equal(t, uint64(12), term)
	term, ok = all.(harness.Witness).Claim([]byte(`{"msg":"became leader","term":99999999999999999999}`))
	require.True(t, ok, "what cannot be read is not left out")
	require.Zero(t, term, "nor taken for the claim to some term")
	_, ok = all.(harness.Witness).Claim([]byte(`{"msg":"became follower","term":9}`))
	require.False(t, ok)

	vague := raftAsDescribed(t, "exact: true", "exact: false", "claim: '", "# '")
	require.Nil(t, vague.(harness.Judged).Checkers())
	require.NotImplements(t, (*harness.Witness)(nil), vague)
	require.Implements(t, (*harness.Reporter)(nil), vague)
	silent := raftAsDescribed(t, "status:\n  path: /status\n  role: role\n  term: term\n  leader: leader\n  exact: true\n", "")
	require.NotImplements(t, (*harness.Reporter)(nil), silent)
	require.NotContains(t, silent.Can(), harness.Leader)
	require.Implements(t, (*harness.Witness)(nil), silent)
	same := raftAsDescribed(t, "environment:", "same_addresses: true\nenvironment:")
	require.Equal(t, []harness.Capability{harness.NodeAddress}, same.(harness.Needer).Needs())
	require.Nil(t, all.(harness.Needer).Needs())
}

// A status of the leader alone is enough for a cluster to serve.
func TestTheLeastStatus(t *testing.T) {
	target := raftAsDescribed(t, "  role: role\n  term: term\n", "", "  exact: true\n", "")
	targettest.Test(t, targettest.Config{Target: target, Fleet: func() (harness.Fleet, error) {
		return local.New(t.TempDir(), 0), nil
	}})
}

// What a member says of itself is data: it is taken for a node's name or a role only if it looks like one.
func TestWhatAStatusMaySay(t *testing.T) {
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(server.Close)
	target := raftAsDescribed(t).(harness.Reporter)
	for text, want := range map[string]string{
		`{"role": "Leader", "term": 3, "leader": "n1"}`:                                            "",
		`{"role": "follower", "term": 3}`:                                                          "",
		`{"role": "follower", "term": 3, "leader": null}`:                                          "",
		`{"role": "follower", "term": 3, "leader": "\u001b[31m` + strings.Repeat("x", 3000) + `"}`: "is no name of a node",
		`{"role": "<b>", "term": 3, "leader": "n1"}`:                                               `"<b>" is no role`,
		`{"role": "leader", "term": "x", "leader": "n1"}`:                                          "term: strconv",
		`{"role": null, "term": 3, "leader": "n1"}`:                                                "role is null",
	} {
		answer = text
		s, err := target.Status(t.Context(), node{addr: strings.TrimPrefix(server.URL, "http://")})
		if want == "" {
			require.NoError(t, err, text)
			require.Equal(t, uint64(3), s.Term)
			require.Equal(t, strings.Contains(text, "Leader"), s.Role == "leader")
			continue
		}
		require.ErrorContains(t, err, want)
		require.Less(t, len(err.Error()), 200)
		require.NotContains(t, err.Error(), "\x1b")
	}
}

func TestPlacesInAnswers(t *testing.T) {
	answer := `{"a": {"b": "x", "n": 12345678901234567890, "none": null, "list": []}}`
	for path, want := range map[string]string{"a.b": "x", "a.n": "12345678901234567890"} {
		got, err := at([]byte(answer), path)
		require.NoError(t, err)
		require.Equal(t, want, *got)
	}
	got, err := at([]byte(answer), "a.none")
	require.NoError(t, err)
	require.Nil(t, got)
	for path, want := range map[string]string{
		"a.c": `a.c: no "c": the answer does not have it`, "a.b.c": "no object", "a.list": "neither a string nor a number", "a": "neither",
	} {
		_, err := at([]byte(answer), path)
		require.ErrorContains(t, err, want)
	}
	_, err = at([]byte("<html>"), "a")
	require.ErrorContains(t, err, "no JSON")
	_, err = at([]byte(`{} {}`), "a")
	require.ErrorContains(t, err, "more than one")
}

// node is one at an address.
type node struct {
	harness.Node
	addr string
}

func (n node) Name() string       { return "n1" }
func (n node) Addr(string) string { return n.addr }

func dial(t *testing.T, d *Description, url string) *Client {
	target, err := New(*d)
	require.NoError(t, err)
	c, err := target.Dial(context.Background(), node{addr: strings.TrimPrefix(url, "http://")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c.(*Client)
}
