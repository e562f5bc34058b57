package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGuard(t *testing.T) {
	for _, fencing := range []bool{true, false} {
		var out bytes.Buffer
		server := httptest.NewServer(New(fencing, &out))
		defer server.Close()
		addr := strings.TrimPrefix(server.URL, "http://")
		require.NoError(t, endpoint.Ready(t.Context(), addr))
		c := NewClient(addr)
		defer c.http.CloseIdleConnections()
		require.NoError(t, c.Write(t.Context(), Write{Process: 1, Lock: "a", Token: 5, Value: 1}))
		require.NoError(t, c.Write(t.Context(), Write{Process: 1, Lock: "a", Token: 5, Value: 2}))
		require.NoError(t, c.Write(t.Context(), Write{Process: 2, Lock: "b", Token: 3, Value: 3}))
		require.NoError(t, c.Write(t.Context(), Write{Process: 3, Lock: "a", Token: 7, Value: 4}))
		err := c.Write(t.Context(), Write{Process: 1, Lock: "a", Token: 5, Value: 5})
		require.Equal(t, fencing, errors.Is(err, ErrStale))
		var said []history.Guarded
		for line := range strings.Lines(out.String()) {
			var l Line
			require.NoError(t, json.Unmarshal([]byte(line), &l))
			said = append(said, *l.Guarded)
		}
		require.Equal(t, []history.Guarded{
			{Seq: 1, Process: 1, Lock: "a", Token: 5, Value: 1, Accepted: true},
			{Seq: 2, Process: 1, Lock: "a", Token: 5, Highest: 5, Value: 2, Accepted: true},
			{Seq: 3, Process: 2, Lock: "b", Token: 3, Value: 3, Accepted: true},
			{Seq: 4, Process: 3, Lock: "a", Token: 7, Highest: 5, Value: 4, Accepted: true},
			{Seq: 5, Process: 1, Lock: "a", Token: 5, Highest: 7, Value: 5, Accepted: !fencing},
		}, said)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// What cannot be told is not done.
func TestAWriteThatIsNotToldOfIsNotMade(t *testing.T) {
	g := New(true, full{})
	require.Error(t, g.Write(Write{Process: 1, Lock: "a", Token: 5}))
	g.out = &bytes.Buffer{}
	require.NoError(t, g.Write(Write{Process: 1, Lock: "a", Token: 4}))
}

func TestServe(t *testing.T) {
	require.Error(t, Serve(t.Context(), Config{Listen: "nowhere"}, nil))
}
