package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// What a page does wrong is seen here, or the tests below would prove nothing.
func TestABrokenPageIsNoticed(t *testing.T) {
	for what, page := range map[string]string{
		"an exception": `<script>setTimeout(() => { throw new Error('x') }); </script>`, "a console error": `<script>console.error('x')</script>`,
		"a request": `<img src="http://127.0.0.1:9/x.png">`, "a forbidden script": `<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><script>1</script>`,
	} {
		path := filepath.Join(t.TempDir(), "page.html")
		require.NoError(t, os.WriteFile(path, []byte("<!doctype html><title>x</title>"+page+"<p>done</p>"), 0o644))
		p := reportstest.Open(t, "file://"+path)
		require.Eventually(t, func() bool { return len(p.Wrong("file://"+path)) > 0 }, 10*time.Second, 10*time.Millisecond, what)
	}
}

// pageOf writes the report of a history, with logs of its nodes, and returns its address.
func pageOf(t testing.TB, h *history.History, only ...string) string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "2026-11-22T01:02:03.%02dZ line %d %s\x00\xff\n", i, i, reportstest.Hostile)
	}
	for _, node := range []string{"n1", "n2"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", node+".log"), []byte(text.String()), 0o644))
	}
	if len(only) == 0 {
		only = checkers.ForHistory(h)
	}
	results, err := checkers.Default().Run(t.Context(), h, only, checkers.Defaults())
	require.NoError(t, err)
	require.NoError(t, Write(reports.Run{Dir: dir, History: h, Results: results}, nil))
	return "file://" + filepath.Join(dir, reports.HTMLFile)
}

// A report opens from a file without a complaint and without asking for anything, and what a target said stays
// text, whatever the verdict.
func TestReportsInABrowser(t *testing.T) {
	valid := reportstest.NewBuilder(t)
	valid.Op(0, "write", "n1", "k", "1", "1", history.OK)
	valid.Op(0, "read", "n1", "k", "", "1", history.OK)
	hostileRun := reportstest.AViolation(t, reportstest.Hostile, reportstest.Hostile, reportstest.Hostile)
	for name, url := range map[string]string{
		"invalid": pageOf(t, reportstest.AViolation(t, "k", "2", "n2")), "hostile": pageOf(t, hostileRun), "linear": pageOf(t, hostileRun, "linear"), "leader": pageOf(t, hostileRun, "leader"),
		"unknown": pageOf(t, &history.History{}), "valid": pageOf(t, &valid.History),
	} {
		t.Run(name, func(t *testing.T) {
			p := reportstest.Open(t, url)
			require.Equal(t, 2, reportstest.Eval[int](t, p, `document.scripts.length`))
			require.Equal(t, "undefined", reportstest.Eval[string](t, p, `typeof window.pwned`))
			require.Equal(t, 0, reportstest.Eval[int](t, p, `document.images.length`))
			require.Contains(t, reportstest.Eval[string](t, p, `document.querySelector('.verdict').textContent`), strings.ToUpper(map[string]string{
				"valid": "valid", "unknown": "unknown"}[name]+map[bool]string{true: "", false: "invalid"}[name == "valid" || name == "unknown"]))
			require.LessOrEqual(t, reportstest.Eval[int](t, p, `document.documentElement.scrollWidth - innerWidth`), 0, "nothing sticks out")
			require.Empty(t, p.Wrong(url))
		})
	}
}

// The picture of the run zooms by keys, by dragging, and by its address.
func TestZoomInABrowser(t *testing.T) {
	url := pageOf(t, reportstest.AViolation(t, "k", "2", "n2"))
	p := reportstest.Open(t, url+"#t=0.050-0.150")
	ticks := `[...document.querySelectorAll('svg[data-to] text.tick[text-anchor=middle]')].map(t => t.textContent)`
	first := reportstest.Eval[[]string](t, p, ticks)
	require.Equal(t, "0.05 s", first[0], "the address says what is shown")
	require.Equal(t, "0.15 s", first[len(first)-1])

	p.Press(t, kb.Escape)
	require.Empty(t, reportstest.Eval[string](t, p, `location.hash`))
	require.Equal(t, "0 s", reportstest.Eval[[]string](t, p, ticks)[0])
	p.Press(t, "+")
	require.Regexp(t, `^#t=0\.05\d-0\.1\d\d$`, reportstest.Eval[string](t, p, `location.hash`))
	before := reportstest.Eval[string](t, p, `location.hash`)
	p.Press(t, kb.ArrowRight)
	require.NotEqual(t, before, reportstest.Eval[string](t, p, `location.hash`))
	require.False(t, reportstest.Eval[bool](t, p, `document.querySelector('#zoom button').hidden`))
	require.NoError(t, chromedp.Do(p.Context, chromedp.Click(chromedp.CSS("#zoom button"))))
	require.Empty(t, reportstest.Eval[string](t, p, `location.hash`))

	drag := `(() => { const s = document.querySelector('svg[data-to]'), r = s.getBoundingClientRect();
		for (const [type, x] of [['pointerdown', .3], ['pointermove', .4], ['pointerup', .5]]) {
			const e = new PointerEvent(type, { clientX: r.left + x * r.width, clientY: r.top + 50, button: 0, pointerId: 1, bubbles: true });
			s.setPointerCapture = () => {}; s.dispatchEvent(e);
		}
		return location.hash; })()`
	require.Regexp(t, `^#t=0\.0\d\d-0\.1\d\d$`, reportstest.Eval[string](t, p, drag))
	require.Contains(t, reportstest.Eval[string](t, p, `document.querySelector('#zoom output').textContent`), "ok/s")

	// A link to a moment shows it.
	require.NoError(t, chromedp.Do(p.Context, chromedp.Click(chromedp.CSS(`.violation a[href^="#t="]`))))
	require.Regexp(t, `^#t=0\.000-`, reportstest.Eval[string](t, p, `location.hash`))

	// Logs are filtered by words and by node.
	shown := `[...document.querySelector('.logs').querySelectorAll('li')].filter(l => !l.hidden).length`
	require.NoError(t, chromedp.Do(p.Context, chromedp.Click(chromedp.CSS(".logs summary")), chromedp.SendKeys(chromedp.CSS(".logs input[type=search]"), "line 7 ")))
	require.Equal(t, 2, reportstest.Eval[int](t, p, shown))
	require.NoError(t, chromedp.Do(p.Context, chromedp.Click(chromedp.CSS(`.logs input[value=n1]`))))
	require.Equal(t, 1, reportstest.Eval[int](t, p, shown))
	require.Empty(t, p.Wrong(url))
}

// BenchmarkInteractive opens the report of a million operations, and zooms into it.
func BenchmarkInteractive(b *testing.B) {
	url := pageOf(b, aLongRun(b))
	p := reportstest.Open(b, url) // and the browser is warm
	var opened, zoomed float64
	for b.Loop() {
		require.NoError(b, chromedp.Do(p.Context, chromedp.Navigate("about:blank"), chromedp.Navigate(url)))
		times := reportstest.Eval[[]float64](b, p, `(() => {
			const began = performance.now(), svg = document.querySelector('svg[data-to]');
			svg.dispatchEvent(new KeyboardEvent('keydown', { key: '+' }));
			svg.getBoundingClientRect();
			return [performance.getEntriesByType('navigation')[0].loadEventEnd, performance.now() - began];
		})()`)
		opened, zoomed = opened+times[0], zoomed+times[1]
	}
	b.ReportMetric(opened/float64(b.N), "ms-to-interactive")
	b.ReportMetric(zoomed/float64(b.N), "ms-to-zoom")
}
