package reportstest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Hostile is what a target may say to break a page.
const Hostile = `</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">&lt;b&gt; {{.}} ${1}`

// browser opens pages as people do: from files, in a real browser. In CI there must be one.
func browser(t testing.TB) context.Context {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium in CI")
		}
		t.Skip("there is no chromium here (apt-get install chromium)")
	}
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.WindowSize(1250, 1000),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, late := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(late)
	return ctx
}

// Tab is a page that was opened, and what it complained of or asked for.
type Tab struct {
	Context    context.Context
	mu         sync.Mutex
	complaints []string
	requests   []string
}

// Open opens a page.
func Open(t testing.TB, url string) *Tab {
	p := &Tab{Context: browser(t)}
	note := func(list *[]string, text string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		*list = append(*list, text)
	}
	require.NoError(t, chromedp.Do(p.Context)) // there is a tab from here on
	require.NoError(t, chromedp.Listen(p.Context, func(event any) {
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
	_, err := chromedp.Call(p.Context, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(p.Context, chromedp.Navigate(url)))
	return p
}

// Eval returns what a script says.
func Eval[T any](t testing.TB, p *Tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(p.Context, chromedp.Evaluate[T](script))
	require.NoError(t, err, script)
	return v
}

// Press presses keys on the picture of the run.
func (p *Tab) Press(t testing.TB, keys string) {
	t.Helper()
	require.NoError(t, chromedp.Do(p.Context, chromedp.Focus(chromedp.CSS("svg[data-to]")), chromedp.KeyEvent(keys)))
}

// Wrong lists what was complained of, and what was asked for but the page.
func (p *Tab) Wrong(url string) (list []string) {
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
