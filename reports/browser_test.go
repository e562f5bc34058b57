package reports

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// browser opens pages as people do: from files, in a real browser. In CI there must be one.
func browser(t testing.TB) context.Context {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium in CI")
		}
		t.Skip("there is no chromium here (apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1250, 1000))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, late := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(late)
	return ctx
}

// tab is a page that was opened, and what it complained of or asked for.
type tab struct {
	ctx        context.Context
	mu         sync.Mutex
	complaints []string
	requests   []string
}

func open(t testing.TB, url string) *tab {
	p := &tab{ctx: browser(t)}
	note := func(list *[]string, text string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		*list = append(*list, text)
	}
	require.NoError(t, chromedp.Do(p.ctx)) // there is a tab from here on
	require.NoError(t, chromedp.Listen(p.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			note(&p.complaints, fmt.Sprint(e.Type, e.Args))
		case *runtime.EventExceptionThrown:
			note(&p.complaints, fmt.Sprint(e.ExceptionDetails))
		case *log.EventEntryAdded:
			note(&p.complaints, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			note(&p.requests, e.Request.URL)
		}
	}))
	_, err := chromedp.Call(p.ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Navigate(url)))
	return p
}

// eval returns what a script says.
func eval[T any](t testing.TB, p *tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
	require.NoError(t, err, script)
	return v
}

func (p *tab) press(t testing.TB, keys string) {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Focus(chromedp.CSS("svg[data-to]")), chromedp.KeyEvent(keys)))
}

// wrong lists what was complained of, and what was asked for but the page.
func (p *tab) wrong(url string) (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list = append(list, p.complaints...)
	for _, r := range p.requests {
		if page, _, _ := strings.Cut(url, "#"); !strings.HasPrefix(r, page) {
			list = append(list, "the page asked for "+r)
		}
	}
	return list
}

// What a page does wrong is seen here, or the tests below would prove nothing.
func TestABrokenPageIsNoticed(t *testing.T) {
	for what, page := range map[string]string{
		"an exception": `<script>setTimeout(() => { throw new Error('x') }); </script>`, "a console error": `<script>console.error('x')</script>`,
		"a request": `<img src="http://127.0.0.1:9/x.png">`, "a forbidden script": `<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><script>1</script>`,
	} {
		path := filepath.Join(t.TempDir(), "page.html")
		require.NoError(t, os.WriteFile(path, []byte("<!doctype html><title>x</title>"+page+"<p>done</p>"), 0o644))
		p := open(t, "file://"+path)
		require.Eventually(t, func() bool { return len(p.wrong("file://"+path)) > 0 }, 10*time.Second, 10*time.Millisecond, what)
	}
}

// hostile is what a target may say to break a page.
const hostile = `</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">&lt;b&gt; {{.}} ${1}`

// pageOf writes the report of a history, with logs of its nodes, and returns its address.
func pageOf(t testing.TB, h *history.History, only ...string) string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "2026-11-22T01:02:03.%02dZ line %d %s\x00\xff\n", i, i, hostile)
	}
	for _, node := range []string{"n1", "n2"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "logs", node+".log"), []byte(text.String()), 0o644))
	}
	if len(only) == 0 {
		only = checkers.ForHistory(h)
	}
	results, err := checkers.Default().Run(t.Context(), h, only, checkers.Defaults())
	require.NoError(t, err)
	require.NoError(t, Run{Dir: dir, History: h, Results: results}.Write())
	return "file://" + filepath.Join(dir, HTMLFile)
}

// A report opens from a file without a complaint and without asking for anything, and what a target said stays
// text, whatever the verdict.
func TestReportsInABrowser(t *testing.T) {
	valid := newBuilder(t)
	valid.op(0, "write", "n1", "k", "1", "1", history.OK)
	valid.op(0, "read", "n1", "k", "", "1", history.OK)
	hostileRun := aViolation(t, hostile, hostile, hostile)
	for name, url := range map[string]string{
		"invalid": pageOf(t, aViolation(t, "k", "2", "n2")), "hostile": pageOf(t, hostileRun), "linear": pageOf(t, hostileRun, "linear"), "leader": pageOf(t, hostileRun, "leader"),
		"unknown": pageOf(t, &history.History{}), "valid": pageOf(t, &valid.h),
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, url)
			require.Equal(t, 2, eval[int](t, p, `document.scripts.length`))
			require.Equal(t, "undefined", eval[string](t, p, `typeof window.pwned`))
			require.Equal(t, 0, eval[int](t, p, `document.images.length`))
			require.Contains(t, eval[string](t, p, `document.querySelector('.verdict').textContent`), strings.ToUpper(map[string]string{
				"valid": "valid", "unknown": "unknown"}[name]+map[bool]string{true: "", false: "invalid"}[name == "valid" || name == "unknown"]))
			require.LessOrEqual(t, eval[int](t, p, `document.documentElement.scrollWidth - innerWidth`), 0, "nothing sticks out")
			require.Empty(t, p.wrong(url))
		})
	}
}

// The picture of the run zooms by keys, by dragging, and by its address.
func TestZoomInABrowser(t *testing.T) {
	url := pageOf(t, aViolation(t, "k", "2", "n2"))
	p := open(t, url+"#t=0.050-0.150")
	ticks := `[...document.querySelectorAll('svg[data-to] text.tick[text-anchor=middle]')].map(t => t.textContent)`
	first := eval[[]string](t, p, ticks)
	require.Equal(t, "0.05 s", first[0], "the address says what is shown")
	require.Equal(t, "0.15 s", first[len(first)-1])

	p.press(t, kb.Escape)
	require.Empty(t, eval[string](t, p, `location.hash`))
	require.Equal(t, "0 s", eval[[]string](t, p, ticks)[0])
	p.press(t, "+")
	require.Regexp(t, `^#t=0\.05\d-0\.1\d\d$`, eval[string](t, p, `location.hash`))
	before := eval[string](t, p, `location.hash`)
	p.press(t, kb.ArrowRight)
	require.NotEqual(t, before, eval[string](t, p, `location.hash`))
	require.False(t, eval[bool](t, p, `document.querySelector('#zoom button').hidden`))
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS("#zoom button"))))
	require.Empty(t, eval[string](t, p, `location.hash`))

	drag := `(() => { const s = document.querySelector('svg[data-to]'), r = s.getBoundingClientRect();
		for (const [type, x] of [['pointerdown', .3], ['pointermove', .4], ['pointerup', .5]]) {
			const e = new PointerEvent(type, { clientX: r.left + x * r.width, clientY: r.top + 50, button: 0, pointerId: 1, bubbles: true });
			s.setPointerCapture = () => {}; s.dispatchEvent(e);
		}
		return location.hash; })()`
	require.Regexp(t, `^#t=0\.0\d\d-0\.1\d\d$`, eval[string](t, p, drag))
	require.Contains(t, eval[string](t, p, `document.querySelector('#zoom output').textContent`), "ok/s")

	// A link to a moment shows it.
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(`.violation a[href^="#t="]`))))
	require.Regexp(t, `^#t=0\.000-`, eval[string](t, p, `location.hash`))

	// Logs are filtered by words and by node.
	shown := `[...document.querySelector('.logs').querySelectorAll('li')].filter(l => !l.hidden).length`
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(".logs summary")), chromedp.SendKeys(chromedp.CSS(".logs input[type=search]"), "line 7 ")))
	require.Equal(t, 2, eval[int](t, p, shown))
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(`.logs input[value=n1]`))))
	require.Equal(t, 1, eval[int](t, p, shown))
	require.Empty(t, p.wrong(url))
}

// An index opens like a report.
func TestIndexInABrowser(t *testing.T) {
	dir := t.TempDir()
	runIn(t, dir, "20261101-a", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), checkers.Invalid, map[string]string{"target-flag": hostile})
	require.NoError(t, WriteIndex(dir))
	url := "file://" + filepath.Join(dir, IndexFile)
	p := open(t, url)
	require.Equal(t, "undefined", eval[string](t, p, `typeof window.pwned`))
	require.Equal(t, 1, eval[int](t, p, `document.querySelectorAll('a.square.failed').length`))
	require.Empty(t, p.wrong(url))
}

// Served, a report is what it is from disk, and a log that looks like a page is none.
func TestServedInABrowser(t *testing.T) {
	file := pageOf(t, aViolation(t, "k", "2", "n2"))
	run := filepath.Dir(strings.TrimPrefix(file, "file://"))
	require.NoError(t, os.WriteFile(filepath.Join(run, "logs", "evil"), []byte("<!doctype html><title>x</title><script>document.title='pwned'</script>"), 0o644))
	handler, err := Server{Dir: filepath.Dir(run), Interval: 10 * time.Millisecond}.Handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer func() { server.CloseClientConnections(); server.Close() }() // the stream of what is under way has no end
	url := server.URL + "/" + filepath.Base(run) + "/"
	p := open(t, url+"report.html#t=0.050-0.150")
	require.Equal(t, "0.05 s", eval[string](t, p, `document.querySelector('svg[data-to] text.tick[text-anchor=middle]').textContent`))
	require.Empty(t, p.wrong(url+"report.html"))
	p = open(t, url+"logs/evil")
	require.Contains(t, eval[string](t, p, `document.body.textContent`), "<script>document.title=")
	require.NotEqual(t, "pwned", eval[string](t, p, `document.title`))

	p = open(t, server.URL+"/")
	require.Eventually(t, func() bool {
		return eval[bool](t, p, `document.querySelector('iframe').contentDocument?.querySelectorAll('a.square').length === 1`)
	}, 10*time.Second, 10*time.Millisecond, "the index is shown below what is under way")
	require.Equal(t, "no run is under way", eval[string](t, p, `document.getElementById('live').textContent`))
}

// BenchmarkInteractive opens the report of a million operations, and zooms into it.
func BenchmarkInteractive(b *testing.B) {
	url := pageOf(b, aLongRun(b))
	p := open(b, url) // and the browser is warm
	var opened, zoomed float64
	for b.Loop() {
		require.NoError(b, chromedp.Do(p.ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(url)))
		times := eval[[]float64](b, p, `(() => {
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
