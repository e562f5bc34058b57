package consul

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// lockServer is as much of Consul as a lock takes. What is under the key is what was acquired, or, if somebody else is
// said to have it, another value.
type lockServer struct {
	mu       sync.Mutex
	value    string
	acquired bool
	stolen   bool
}

func (s *lockServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/session/create"):
		fmt.Fprint(w, `{"ID":"mine"}`)
	case strings.HasPrefix(r.URL.Path, "/v1/session/"):
		fmt.Fprint(w, `[{"ID":"mine","TTL":"1s"}]`)
	case r.Method == http.MethodPut && r.URL.Query().Has("acquire"):
		body, _ := io.ReadAll(r.Body) // a few bytes
		s.value, s.acquired = string(body), true
		fmt.Fprint(w, "true")
	case r.Method == http.MethodPut:
		s.acquired = false
		fmt.Fprint(w, "true")
	case !s.acquired:
		w.WriteHeader(http.StatusNotFound)
	default:
		value, session := s.value, "mine"
		if s.stolen {
			value, session = "another's", "other"
		}
		w.Header().Set("X-Consul-Index", "7")
		fmt.Fprintf(w, `[{"Key":"a","Flags":3304740253564472344,"LockIndex":5,"Session":%q,"Value":%q}]`,
			session, base64.StdEncoding.EncodeToString([]byte(value)))
	}
}

// The token of a lock is read after it was acquired. By then it may be another holder's, which is none of ours.
func TestTheTokenIsOurs(t *testing.T) {
	for _, stolen := range []bool{false, true} {
		s := &lockServer{stolen: stolen}
		server := httptest.NewServer(s)
		defer server.Close()
		target, err := New(DefaultVersion, "", nil)
		require.NoError(t, err)
		l, err := target.Locker([]harness.Member{{Addr: map[string]string{portHTTP: strings.TrimPrefix(server.URL, "http://")}}}, time.Second)
		require.NoError(t, err)
		held, err := l.Acquire(t.Context(), "a")
		if stolen {
			require.ErrorContains(t, err, "the token is another holder's")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, uint64(5), held.Token())
		require.NoError(t, held.Release(t.Context()))
		require.False(t, s.acquired)
		require.NoError(t, l.Close(t.Context()))
	}
}
