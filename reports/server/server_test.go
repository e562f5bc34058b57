package server

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

const eventLines = `{"index":0,"at":1500000000,"process":-3,"kind":"note","f":"phase","value":"load"}
{"index":1,"at":2000000000,"process":0,"kind":"invoke","f":"write","node":"n1","key":"k","value":1}
{"index":2,"at":2500000000,"process":-1,"kind":"invoke","f":"kill","value":{"id":0}}
{"index":3,"at":3000000000,"process":0,"kind":"ok","f":"write","node":"n1","key":"k","value":1}
`

func serve(t *testing.T) (dir string, get func(path string) (int, string)) {
	dir = t.TempDir()
	run := reportstest.RunIn(t, dir, "20261101-a", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), checkers.Valid, nil)
	require.NoError(t, page.Write(run, nil))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "20261101-a", "history.jsonl"), []byte(eventLines), 0o644))
	handler, err := Server{Dir: dir, Interval: 10 * time.Millisecond}.Handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return dir, func(path string) (int, string) {
		url := path
		if !strings.HasPrefix(path, "http") {
			url = server.URL + path
		}
		response, err := http.Get(url)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
}

// The index is written anew when somebody looks, reports are as on disk, and no path leads out.
func TestServer(t *testing.T) {
	dir, get := serve(t)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "secret"), []byte("secret"), 0o644))
	require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(dir), "secret"), filepath.Join(dir, "link")))
	code, body := get("/")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "/api/live")
	code, body = get("/index.html")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "20261101-a/report.html")
	code, body = get("/20261101-a/report.html")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "✓ VALID")
	for _, path := range []string{"/../secret", "/%2e%2e/secret", "/link", "/20261101-a/..%2f..%2fsecret", "/api/runs/..%2f/zip", "/api/runs/..%2fx/events"} {
		code, body = get(path)
		require.NotEqual(t, http.StatusOK, code, path)
		require.NotContains(t, strings.ReplaceAll(body, path, ""), "secret")
	}
}

// What a target wrote runs no script as ours may, whatever it looks like; sunder's own files are what they are.
func TestServedFilesAreHarmless(t *testing.T) {
	dir, _ := serve(t)
	run := filepath.Join(dir, "20261101-a")
	for _, name := range []string{"logs/n1", "logs/n1.log", "logs/report.html", "data/n1/report.html", "data/n1/index.html", "core.html", "x.xml"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(run, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(run, name), []byte("<script>1</script>"), 0o644))
	}
	handler, err := Server{Dir: dir}.Handler()
	require.NoError(t, err)
	get := func(path string) http.Header {
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, path)
		return w.Header()
	}
	const sandbox, text = "sandbox; default-src 'none'", "text/plain; charset=utf-8"
	for path, want := range map[string][2]string{
		"/20261101-a/report.html": {"", "text/html; charset=utf-8"}, "/20261101-a/results.json": {sandbox, "application/json"},
		"/20261101-a/logs/n1": {sandbox, text}, "/20261101-a/logs/n1.log": {sandbox, text}, "/20261101-a/logs/report.html": {sandbox, text},
		"/20261101-a/data/n1/report.html": {sandbox, text}, "/20261101-a/data/n1/": {sandbox, "text/html; charset=utf-8"},
		"/20261101-a/core.html": {sandbox, text}, "/20261101-a/x.xml": {sandbox, text}, "/20261101-a/": {"", "text/html; charset=utf-8"},
	} {
		h := get(path)
		require.Equal(t, want, [2]string{h.Get("Content-Security-Policy"), h.Get("Content-Type")}, path)
	}
}

// An archive holds the files of a run, whatever else lies there.
func TestArchivesOfOddRuns(t *testing.T) {
	dir, get := serve(t)
	run := filepath.Join(dir, "20261101-a")
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(run, "a-link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(run, "a-pipe"), 0o644))
	code, body := get("/api/runs/20261101-a/zip")
	require.Equal(t, http.StatusOK, code)
	z, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	require.NoError(t, err)
	require.Len(t, z.File, 3)
	code, _ = get("/api/runs/%2e/zip")
	require.Equal(t, http.StatusNotFound, code, "that is all runs")

	// A pipe is no history, and nobody waits for what it will say.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "pipe"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe", "history.jsonl"), 0o644))
	code, _ = get("/api/runs/pipe/events")
	require.Equal(t, http.StatusNotFound, code)
	require.Empty(t, Server{Dir: dir}.underWay(t.Context(), map[string]*progress{}))
}

// Whoever has an index.html of their own keeps it: what is served is made for whoever asks.
func TestTheServerWritesNothing(t *testing.T) {
	dir, get := serve(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, reports.IndexFile), []byte("mine"), 0o644))
	_, body := get("/index.html")
	require.Contains(t, body, "20261101-a/report.html")
	page, err := os.ReadFile(filepath.Join(dir, reports.IndexFile))
	require.NoError(t, err)
	require.Equal(t, "mine", string(page))
}

// A page from elsewhere cannot read the runs by giving our address a name of its own.
func TestServerAnswersToLoopbackOnly(t *testing.T) {
	handler, err := Server{Dir: t.TempDir()}.Handler()
	require.NoError(t, err)
	for host, want := range map[string]int{"127.0.0.1:80": 200, "localhost": 200, "[::1]:80": 200, "evil.example:80": 403, "10.0.0.1": 403, "": 403} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, host)
	}
}

func TestServerQueries(t *testing.T) {
	_, get := serve(t)
	code, body := get("/api/runs/20261101-a/events?from=2&to=2.6")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, strings.Join(strings.SplitAfter(eventLines, "\n")[1:3], ""), body)
	_, body = get("/api/runs/20261101-a/events?key=k&limit=1")
	require.Equal(t, strings.SplitAfter(eventLines, "\n")[1], body)
	_, body = get("/api/runs/20261101-a/events?process=-1")
	require.Equal(t, strings.SplitAfter(eventLines, "\n")[2], body)
	code, body = get("/api/runs/20261101-a/events?from=x")
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, body, `from: "x" is no number`)
	code, _ = get("/api/runs/none/events")
	require.Equal(t, http.StatusNotFound, code)

	code, body = get("/api/runs/20261101-a/zip")
	require.Equal(t, http.StatusOK, code)
	z, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	require.NoError(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	require.ElementsMatch(t, []string{"history.jsonl", reports.HTMLFile, reports.ResultsFile}, names)
	code, _ = get("/api/runs/none/zip")
	require.Equal(t, http.StatusNotFound, code)
}

// What a run comes to is sent while it goes on, and no more once it has ended.
func TestServerLive(t *testing.T) {
	dir := t.TempDir()
	handler, err := Server{Dir: dir, Interval: time.Millisecond}.Handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/live", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	until := func(want string) {
		for lines.Scan() {
			if lines.Text() == "data: "+want {
				return
			}
		}
		require.Fail(t, "never said", want)
	}
	until("[]")
	run := filepath.Join(dir, "run")
	require.NoError(t, os.Mkdir(run, 0o755))
	require.NoError(t, os.Symlink("run", filepath.Join(dir, "latest")))
	half := len(eventLines) - 40
	require.NoError(t, os.WriteFile(filepath.Join(run, "history.jsonl"), []byte(eventLines[:half]), 0o644))
	until(`[{"run":"run","at":2.5,"phase":"load","ok":0,"fail":0,"info":0,"faults":1}]`)
	f, err := os.OpenFile(filepath.Join(run, "history.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(eventLines[half:])
	require.NoError(t, err)
	until(`[{"run":"run","at":3,"phase":"load","ok":1,"fail":0,"info":0,"faults":1}]`)
	_, err = f.WriteString(`{"index":9,"at":3100000000,"process":-3,"kind":"note","f":"finding",` +
		`"value":{"checker":"linear","why":"it is <stale>","at_ns":2900000000}}` + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	until(`[{"run":"run","at":3.1,"phase":"load","ok":1,"fail":0,"info":0,"faults":1,` +
		`"found":"a violation at 2.9 s (linear): it is \u003cstale\u003e"}]`)
	require.NoError(t, os.WriteFile(filepath.Join(run, reports.ResultsFile), []byte("{}"), 0o644))
	until("[]")
}
