package consul

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// What the server says of sessions, and of the key that they hold, is the outcome: only where it says that it did
// nothing is that proved.
func TestLeasesOfSessions(t *testing.T) {
	type step struct {
		method string // that is tried: "grant", "keep", "revoke"
		says   map[string]string
		proof  bool
		reason string
		err    string
	}
	held := fmt.Sprintf(`[{"Session":"s","Value":%q}]`, base64.StdEncoding.EncodeToString([]byte("7")))
	for name, s := range map[string]step{
		"granted":              {"grant", map[string]string{"/v1/session/create": `{"ID":"s"}`, "/v1/kv/k": "true"}, false, "", ""},
		"taken":                {"grant", map[string]string{"/v1/session/create": `{"ID":"s"}`, "/v1/kv/k": "false"}, true, history.Taken, ""},
		"no session":           {"grant", map[string]string{"/v1/session/create": `{}`}, false, "", "it names no session"},
		"a session that ended": {"grant", map[string]string{"/v1/session/create": `{"ID":"s"}`, "/v1/kv/k": "500 invalid session"}, true, history.Gone, ""},
		"renewed":              {"keep", map[string]string{"/v1/kv/k": held, "/v1/session/renew/s": "[]"}, false, "", ""},
		"another's":            {"keep", map[string]string{"/v1/kv/k": strings.Replace(held, "Nw", "OA", 1)}, true, history.Gone, ""},
		"not held":             {"keep", map[string]string{"/v1/kv/k": strings.Replace(held, `"s"`, `""`, 1)}, true, history.Gone, ""},
		"ended": {"keep", map[string]string{"/v1/kv/k": held, "/v1/session/renew/s": "404 Session id 's' not found"},
			true, history.Gone, ""},
		"in doubt":  {"keep", map[string]string{"/v1/kv/k": held, "/v1/session/renew/s": "500 rpc error"}, false, "", "rpc error"},
		"destroyed": {"revoke", map[string]string{"/v1/kv/k": held, "/v1/session/destroy/s": "true"}, false, "", ""},
		"not seen":  {"revoke", map[string]string{"/v1/kv/k": "500 rpc error"}, true, "", "rpc error"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said, ok := s.says[r.URL.Path]
			if !ok {
				said = "500 not asked for"
			}
			w.Header().Set("X-Consul-Index", "7")
			if code, text, failed := strings.Cut(said, " "); failed {
				w.WriteHeader(map[string]int{"500": http.StatusInternalServerError, "404": http.StatusNotFound}[code])
				said = text
			}
			fmt.Fprint(w, said)
		}))
		c := &Client{base: strings.TrimPrefix(server.URL, "http://"), http: newHTTP()}
		var err error
		switch s.method {
		case "grant":
			_, err = c.Grant(t.Context(), "k", 7, 2*time.Second)
		case "keep":
			_, err = c.KeepAlive(t.Context(), "k", 7, 2*time.Second)
		case "revoke":
			err = c.Revoke(t.Context(), "k", 7)
		}
		require.NoError(t, c.Close())
		server.Close()
		if s.reason == "" && s.err == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		if s.proof {
			require.ErrorIs(t, err, harness.ErrNotApplied, name)
		} else {
			require.NotErrorIs(t, err, harness.ErrNotApplied, name)
		}
		if s.reason != "" {
			var refusal harness.Refusal
			require.ErrorAs(t, err, &refusal, name)
			require.Equal(t, s.reason, refusal.Reason)
		} else {
			require.ErrorContains(t, err, s.err, name)
		}
	}
}
