package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/reports/reportstest"
)

// fakeHands are those of a cluster that somebody made up.
type fakeHands struct {
	mu    sync.Mutex
	state string
	lines []string
}

func (f *fakeHands) Do(_ context.Context, line string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, line)
	if strings.HasPrefix(line, "wrong") {
		return "", errors.New(reportstest.Hostile)
	}
	return "did " + line + "\n", nil
}

func (f *fakeHands) State(context.Context) (json.RawMessage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return json.RawMessage(f.state), nil
}

func (f *fakeHands) did() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "\n")
}

// handled serves a cluster of three nodes, of which n1 is a leader of old, and says what breaks pages.
func handled(t *testing.T) (hands *fakeHands, url string) {
	hostile, err := json.Marshal(reportstest.Hostile)
	require.NoError(t, err)
	hands = &fakeHands{state: `{"elapsed_ns": 5000000000, "ok": 10, "fail": 1, "info": 0, "finding": ` + string(hostile) + `, "nodes": [
		{"name": "n1", "up": true, "role": "leader", "term": 3}, {"name": "n2", "up": true, "role": "leader", "term": 4},
		{"name": "n3", "up": true, "role": ` + string(hostile) + `, "term": 4}],
		"faults": [{"id": 7, "name": ` + string(hostile) + `, "nodes": [` + string(hostile) + `], "since_ns": 1000000000,
		"cut": [{"from": "n1", "to": "n2"}, {"from": "n2", "to": "n1"}, {"from": "n1", "to": "n3"}]}]}`}
	handler, err := Server{Dir: t.TempDir(), Token: "secret", Hands: func(run string) Hands {
		if run != "run" {
			return nobody{}
		}
		return hands
	}}.Handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return hands, server.URL
}

// Only who has the token breaks anything, and only in a run of this directory.
func TestWhoMayBreak(t *testing.T) {
	hands, url := handled(t)
	do := func(path, token, host string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader("kill n1"))
		require.NoError(t, err)
		if token != "" {
			request.Header.Set(tokenHeader, token)
		}
		if host != "" {
			request.Host = host
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusForbidden, do("/api/runs/run/do", "", ""))
	require.Equal(t, http.StatusForbidden, do("/api/runs/run/do", "guess", ""))
	require.Equal(t, http.StatusForbidden, do("/api/runs/run/do", "secret", "evil.example"))
	require.Empty(t, hands.did())
	require.Equal(t, http.StatusUnprocessableEntity, do("/api/runs/other/do", "secret", ""))
	require.Equal(t, http.StatusUnprocessableEntity, do("/api/runs/..%2frun/do", "secret", ""))
	require.Equal(t, http.StatusOK, do("/api/runs/run/do", "secret", ""))
	require.Equal(t, "kill n1", hands.did())
	response, err := http.Get(url + "/api/runs/other/state")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	http.DefaultClient.CloseIdleConnections()

	handler, err := Server{Dir: t.TempDir()}.Handler()
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "http://localhost/api/runs/run/do", strings.NewReader("kill n1"))
	request.Header.Set(tokenHeader, "")
	handler.ServeHTTP(answer, request)
	require.Equal(t, http.StatusForbidden, answer.Code, "without a token of the server's, nobody may")
}

// The page shows who leads, and who only believes it; what is clicked is asked for; and nothing that a node says is
// markup.
func TestThePageOfHands(t *testing.T) {
	hands, url := handled(t)
	p := reportstest.Open(t, url+"/hands/run#token=secret")
	text := func(script string) string { return reportstest.Eval[string](t, p, script) }
	eventually := func(want, script string) {
		t.Helper()
		require.Eventually(t, func() bool { return text(script) == want }, 10*time.Second, 10*time.Millisecond, "%s", script)
	}
	eventually("n1stale leaderterm 3", `document.querySelector('.node.stale')?.textContent || ''`)
	eventually("n2leaderterm 4", `document.querySelector('.node.leader')?.textContent || ''`)
	require.Equal(t, "link cut|link half|link", text(`[...document.querySelectorAll('.link')].map(l => l.getAttribute('class')).join('|')`))
	require.Contains(t, text(`document.body.textContent`), reportstest.Hostile)

	click := func(selector string) {
		t.Helper()
		reportstest.Eval[bool](t, p, `document.querySelector(`+"`"+selector+"`"+`).dispatchEvent(new MouseEvent('click', {bubbles: true}))`)
	}
	click(`[aria-label="the link between n2 and n3"]`)
	click(`[aria-label="the link between n1 and n2"]`)
	click(`.node.stale`)
	click(`[data-do=pause]`)
	click(`.node.stale`)
	click(`#split`)
	click(`[data-all=heal]`)
	reportstest.Eval[bool](t, p, `document.getElementById('line').value = 'wrong line'; document.getElementById('form').requestSubmit(); true`)
	require.Eventually(t, func() bool { return strings.Count(hands.did(), "\n") == 5 }, 10*time.Second, 10*time.Millisecond)
	for _, line := range []string{"cut n2 n3", "heal 7", "pause n1", "partition:halves n1", "heal", "wrong line"} {
		require.Contains(t, strings.Split(hands.did(), "\n"), line)
	}
	eventually("wrong line\n"+reportstest.Hostile, `document.querySelector('li.wrong')?.textContent || ''`)
	require.Equal(t, "undefined", text(`typeof window.pwned`))
	for _, wrong := range p.Wrong(url) {
		require.Contains(t, wrong, "422", "but for the refusal of the wrong line")
	}
}
