package page

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// pale lists texts that stand out from what is behind them by less than WCAG 2.2 demands (1.4.3, level AA), and how
// many were looked at.
const pale = `(() => {
	const parse = c => { const m = /rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/.exec(c); return m && [+m[1], +m[2], +m[3], m[4] === undefined ? 1 : +m[4]]; };
	const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const luminance = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
	const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
	const paper = parse(getComputedStyle(document.body).backgroundColor);
	const behind = e => {
		const c = [];
		for (let p = e; p && p.nodeType === 1; p = p.parentNode) { const b = parse(getComputedStyle(p).backgroundColor); if (b && b[3] > 0) c.push(b); }
		return c.reverse().reduce((below, top) => over(top, below), paper);
	};
	const shapes = text => { // the middle of each letter's box, against the shape that is behind it
		const r = text.getBoundingClientRect(), base = behind(text), found = [];
		for (const share of [.05, .5, .95]) {
			const x = r.left + share * r.width, y = r.top + r.height / 2;
			const under = [...text.ownerSVGElement.querySelectorAll('rect')].filter(s => { const b = s.getBoundingClientRect(); return s.style.display !== 'none' && getComputedStyle(s).fill.startsWith('rgb') && b.left <= x && x <= b.right && b.top <= y && y <= b.bottom; });
			found.push(under.reduce((below, s) => { const c = parse(getComputedStyle(s).fill); c[3] *= +getComputedStyle(s).fillOpacity; return over(c, below); }, base));
		}
		return found;
	};
	const bad = []; let seen = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walk.nextNode();) {
		const e = n.parentElement, style = getComputedStyle(e);
		if (!n.textContent.trim() || ['SCRIPT', 'STYLE', 'title'].includes(e.tagName) || !e.checkVisibility() || e.getBoundingClientRect().width === 0) continue;
		seen++;
		const svg = e.ownerSVGElement, ink = parse(svg ? style.fill : style.color), size = parseFloat(style.fontSize);
		const least = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
		for (const below of svg ? shapes(e) : [behind(e)]) {
			const got = ratio(over(ink, below), below);
			if (got < least) { bad.push(got.toFixed(2) + ' ' + e.tagName + '.' + e.getAttribute('class') + ': ' + n.textContent.trim().slice(0, 40) + ' ' + style.color + style.fill + ' on ' + below); break; }
		}
	}
	return { bad, seen };
})()`

type contrast struct {
	Bad  []string `json:"bad"`
	Seen int      `json:"seen"`
}

func scheme(t testing.TB, p *reportstest.Tab, name string) {
	_, err := chromedp.Call(p.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	require.NoError(t, err)
}

// All text can be read, by day and by night.
func TestContrastInABrowser(t *testing.T) {
	dir := t.TempDir()
	for i, v := range []checkers.Verdict{checkers.Valid, checkers.Unknown, checkers.Invalid} {
		runIn(t, dir, "2026110"+string(rune('1'+i)), time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC), v, nil)
	}
	require.NoError(t, index.Write(dir))
	for name, url := range map[string]string{"report": pageOf(t, reportstest.AViolation(t, "k", "2", "n2")), "index": "file://" + filepath.Join(dir, reports.IndexFile)} {
		p := reportstest.Open(t, url)
		reportstest.Eval[bool](t, p, `[...document.querySelectorAll('details')].map(d => d.open = true).length >= 0`)
		for _, light := range []string{"light", "dark"} {
			scheme(t, p, light)
			got := reportstest.Eval[contrast](t, p, pale)
			require.Greater(t, got.Seen, 30)
			require.Empty(t, got.Bad, "%s, %s", name, light)
		}
		require.Empty(t, p.Wrong(url))
	}
}

// What cannot be read is found, or the test above would prove nothing.
func TestPaleTextIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(path, []byte(`<!doctype html><body style="background:#fff"><p style="color:#777">pale</p><p style="color:#767676">enough</p>
		<p style="color:#959595;font-size:24px">large</p><p style="color:#fff">white</p><svg viewBox="0 0 100 20"><rect x="0" y="0" width="100" height="20" style="fill:#333"/><text x="5" y="15" style="fill:#000">in a bar</text></svg>`), 0o644))
	got := reportstest.Eval[contrast](t, reportstest.Open(t, "file://"+path), pale)
	require.Equal(t, 5, got.Seen)
	require.Len(t, got.Bad, 4, got.Bad)
}

// Everything that can be used with a mouse can be reached by Tab, in the order in which it stands, and shows that it
// has been reached.
func TestKeyboardInABrowser(t *testing.T) {
	p := reportstest.Open(t, pageOf(t, reportstest.AViolation(t, "k", "2", "n2")))
	var reached []string
	for {
		require.NoError(t, chromedp.Do(p.Context, chromedp.KeyEvent(kb.Tab)))
		at := reportstest.Eval[string](t, p, `(() => { const e = document.activeElement; if (e === document.body) return '';
			const s = getComputedStyle(e); if (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) === 0) return 'no outline: ' + e.outerHTML.slice(0, 80);
			return [...document.querySelectorAll('*')].indexOf(e) + ' ' + e.tagName.toLowerCase(); })()`)
		if at == "" || len(reached) > 200 {
			break
		}
		require.NotContains(t, at, "no outline")
		reached = append(reached, at)
	}
	last := -1
	kinds := make(map[string]int)
	for _, r := range reached {
		var place int
		var kind string
		_, err := fmt.Sscan(r, &place, &kind)
		require.NoError(t, err)
		require.Greater(t, place, last, reached)
		last = place
		kinds[kind]++
	}
	require.Equal(t, reportstest.Eval[int](t, p, `[...document.querySelectorAll('a[href], button, summary')].filter(e => e.checkVisibility()).length`), kinds["a"]+kinds["button"]+kinds["summary"])
	require.Equal(t, 1, kinds["svg"], "the picture of the run, which zooms")
}
