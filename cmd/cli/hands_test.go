package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// A cluster of five is split by clicking, two with the leader on one side: it goes on to believe that it leads, the
// others elect another, and once it is healed there is one.
func TestASplitByClicking(t *testing.T) {
	out := t.TempDir()
	code, said := ran(t, "", "up", "-d", "-o", out, "--nodes", "5", "--rate", "200", "--target-flag",
		"check-quorum=false,election-timeout=1s") // a busy machine must not elect another one meanwhile
	require.Zero(t, code, said)
	run, err := filepath.EvalSymlinks(filepath.Join(out, "latest"))
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = ran(t, "", "down", "--run", run) })

	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- Execute(ctx, Default(), []string{"serve", out}, w, io.Discard) }()
	defer func() { cancel(); <-ended }()
	url, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	base, token, ok := strings.Cut(strings.TrimSpace(url), "#")
	require.True(t, ok)

	p := reportstest.Open(t, base+"#"+token)
	text := func(script string) string { return reportstest.Eval[string](t, p, script) }
	require.Eventually(t, func() bool { return text(`document.querySelector('#live a')?.textContent || ''`) == "break it by hand" },
		10*time.Second, 50*time.Millisecond)
	require.NoError(t, chromedp.Do(p.Context, chromedp.Navigate(text(`document.querySelector('#live a').href`))))

	leader := func() string { return text(`document.querySelector('.node.leader .name')?.textContent || ''`) }
	require.Eventually(t, func() bool { return leader() != "" }, 20*time.Second, 50*time.Millisecond)
	old := leader()
	other := "n1"
	if old == other {
		other = "n2"
	}
	for _, name := range []string{old, other} {
		press(t, p, fmt.Sprintf(`[...document.querySelectorAll('.node')].find(n => n.querySelector('.name').textContent === %q)`, name))
	}
	press(t, p, `document.getElementById('split')`)
	require.Eventually(t, func() bool {
		return text(`document.querySelector('.node.stale .name')?.textContent || ''`) == old && leader() != "" && leader() != old
	}, 20*time.Second, 50*time.Millisecond, "a leader of old, and a new one")
	require.Equal(t, "6", text(`String(document.querySelectorAll('.link.cut').length)`))
	picture(t, p, "split")

	press(t, p, `document.querySelector('[data-all=heal]')`)
	require.Eventually(t, func() bool {
		return text(`String(document.querySelectorAll('.node.stale').length + document.querySelectorAll('.link.cut').length)`) == "0" &&
			leader() != ""
	}, 20*time.Second, 50*time.Millisecond, "healed, there is one leader")
	link := fmt.Sprintf(`[...document.querySelectorAll('.grip')].find(g => g.getAttribute('aria-label').endsWith(%q))`, "n1 and n2")
	press(t, p, link)
	require.Eventually(t, func() bool { return text(`String(document.querySelectorAll('.link.cut').length)`) == "1" },
		10*time.Second, 50*time.Millisecond)
	press(t, p, link)
	require.Eventually(t, func() bool { return text(`String(document.querySelectorAll('.link.cut').length)`) == "0" },
		10*time.Second, 50*time.Millisecond)
	picture(t, p, "healed")
	press(t, p, `document.querySelector('[data-all=down]')`)
	require.Eventually(t, func() bool {
		return strings.Contains(text(`document.getElementById('clock').textContent`), "the report")
	},
		30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		code, _ = ran(t, "", "do", "--run", run, "status")
		return code == child.Usage && exists(filepath.Join(run, "report.html"))
	}, 30*time.Second, 100*time.Millisecond)
	require.Empty(t, p.Wrong(base))
}

// press clicks the middle of an element with the mouse.
func press(t *testing.T, p *reportstest.Tab, element string) {
	t.Helper()
	middle := reportstest.Eval[[]float64](t, p, element+`.scrollIntoView({block: 'nearest'}), (b => [b.x + b.width / 2, b.y + b.height / 2])(`+
		element+`.getBoundingClientRect())`)
	require.NoError(t, chromedp.Do(p.Context, chromedp.MouseClickXY(middle[0], middle[1])))
}

func picture(t *testing.T, p *reportstest.Tab, name string) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	image, err := chromedp.Run(p.Context, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600))
}
