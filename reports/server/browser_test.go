package server

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/page"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// Served, a report is what it is from disk, and a log that looks like a page is none.
func TestServedInABrowser(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.MkdirAll(filepath.Join(run, "logs"), 0o755))
	h := reportstest.AViolation(t, "k", "2", "n2")
	results, err := checkers.Default().Run(t.Context(), h, checkers.ForHistory(h), checkers.Defaults())
	require.NoError(t, err)
	judged := reports.Run{Dir: run, History: h, Results: results}
	require.NoError(t, judged.WriteResults())
	require.NoError(t, page.Write(judged, nil))
	require.NoError(t, os.WriteFile(filepath.Join(run, "logs", "evil"), []byte("<!doctype html><title>x</title><script>document.title='pwned'</script>"), 0o644))
	handler, err := Server{Dir: filepath.Dir(run), Interval: 10 * time.Millisecond}.Handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer func() { server.CloseClientConnections(); server.Close() }() // the stream of what is under way has no end
	url := server.URL + "/" + filepath.Base(run) + "/"
	p := reportstest.Open(t, url+"report.html#t=0.050-0.150")
	require.Equal(t, "0.05 s", reportstest.Eval[string](t, p, `document.querySelector('svg[data-to] text.tick[text-anchor=middle]').textContent`))
	require.Empty(t, p.Wrong(url+"report.html"))
	p = reportstest.Open(t, url+"logs/evil")
	require.Contains(t, reportstest.Eval[string](t, p, `document.body.textContent`), "<script>document.title=")
	require.NotEqual(t, "pwned", reportstest.Eval[string](t, p, `document.title`))

	p = reportstest.Open(t, server.URL+"/")
	require.Eventually(t, func() bool {
		return reportstest.Eval[bool](t, p, `document.querySelector('iframe').contentDocument?.querySelectorAll('a.square').length === 1`)
	}, 10*time.Second, 10*time.Millisecond, "the index is shown below what is under way")
	require.Equal(t, "no run is under way", reportstest.Eval[string](t, p, `document.getElementById('live').textContent`))
}
