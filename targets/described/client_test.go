package described

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// Each status means what the description says, and no other proves anything.
func TestWhatAnswersProve(t *testing.T) {
	var code int
	var answer, asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = fmt.Sprint(r.Method, " ", r.URL.EscapedPath(), " ", string(body))
		if code == http.StatusTemporaryRedirect {
			w.Header().Set("Location", "http://192.0.2.1/") // which nobody must call
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	d, err := Parse("db.yaml", []byte(whole))
	require.NoError(t, err)
	c := dial(t, d, server.URL)

	code, answer = 200, `{"value": "7"}`
	value, _, err := c.Read(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, "7", *value)
	require.Equal(t, "GET /a%2Fb ", asked)
	code = 404
	value, _, err = c.Read(t.Context(), "k")
	require.NoError(t, err)
	require.Nil(t, value)
	code, answer = 200, `{"value": 7`
	_, _, err = c.Read(t.Context(), "k")
	require.ErrorContains(t, err, "no JSON")
	answer = strings.Repeat("x", maxAnswer+1)
	_, _, err = c.Read(t.Context(), "k")
	require.ErrorContains(t, err, "more than 1048576 bytes")

	code, answer = 200, ""
	_, err = c.Write(t.Context(), "k", `"1"`)
	require.NoError(t, err)
	require.Equal(t, `PUT /k "\"1\""`, asked)
	for code = range map[int]bool{500: true, 504: true, 404: true, 307: true, 201: true} {
		_, err = c.Write(t.Context(), "k", "1")
		require.ErrorContains(t, err, fmt.Sprint(code))
		require.NotErrorIs(t, err, harness.ErrNotApplied, "%d proves nothing", code)
	}
	code, answer = 503, "no quorum \xff"+strings.Repeat("x", 1000)
	_, err = c.Write(t.Context(), "k", "1")
	require.ErrorIs(t, err, harness.ErrNotApplied, "as the description says")
	require.Less(t, len(err.Error()), 300)

	code = 409
	_, err = c.CompareAndSet(t.Context(), "k", "1", "2")
	require.ErrorAs(t, err, &harness.Refusal{})
	code = 200
	_, err = c.CompareAndSet(t.Context(), "k", "1", "2")
	require.NoError(t, err)
	code = 503
	_, err = c.CompareAndSet(t.Context(), "k", "1", "2")
	require.Error(t, err)
	require.NotErrorIs(t, err, harness.ErrNotApplied, "of a cas it says nothing of the kind")

	d.CAS, d.Read.Value = nil, ""
	c = dial(t, d, server.URL)
	_, err = c.CompareAndSet(t.Context(), "k", "1", "2")
	require.ErrorIs(t, err, harness.ErrNotApplied)
	code, answer = 200, "7"
	value, _, err = c.Read(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "7", *value, "the whole answer")
}
