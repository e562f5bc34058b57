package kvhttp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Which answers prove that nothing has happened, and which leave it open.
func TestWhatAnswersProve(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		body   string
		proves bool
	}{
		"no leader":      {http.StatusServiceUnavailable, `{"error":"no leader"}`, true},
		"a bad body":     {http.StatusBadRequest, `{"error":"no"}`, true},
		"no answer":      {http.StatusGatewayTimeout, `{"error":"late"}`, false},
		"a broken body":  {http.StatusOK, `{`, false},
		"something else": {http.StatusTeapot, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.body))
			}))
			client := NewClient(strings.TrimPrefix(server.URL, "http://"))
			defer client.Close()
			_, err := client.Write(t.Context(), "x/y", "1")
			require.Error(t, err)
			require.Equal(t, c.proves, strings.Contains(err.Error(), harness.ErrNotApplied.Error()))
			_, _, err = client.Read(t.Context(), "x/y")
			require.Error(t, err)
			server.Close()
			_, err = NewClient(strings.TrimPrefix(server.URL, "http://")).CompareAndSet(t.Context(), "x", "1", "2")
			require.ErrorIs(t, err, harness.ErrNotApplied, "nobody is there")
		})
	}
}

func TestRefusals(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"value":"3"}`))
	}))
	defer server.Close()
	client := NewClient(strings.TrimPrefix(server.URL, "http://"))
	defer client.Close()
	_, err := client.CompareAndSet(t.Context(), "x/y", "1", "2")
	var refusal harness.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "3", *refusal.Found)
	require.Equal(t, "/kv/x%2Fy/cas", asked)
}
