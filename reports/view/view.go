// Package view has what all pages share: the style, and how times and numbers are written.
package view

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
)

//go:embed style.css.tmpl
var style embed.FS

// Parse returns the template of a page, with the functions and the style that all have.
func Parse(name string, files fs.FS) *template.Template {
	return template.Must(
		template.Must(template.New(name).Funcs(functions).ParseFS(style, "*.tmpl")).ParseFS(files, "templates/*.tmpl"),
	)
}

var functions = template.FuncMap{
	"at":    At,
	"upper": func(v checkers.Verdict) string { return strings.ToUpper(v.String()) },
	"took":  func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) },
	"ms":    func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) },
	"mark": func(s reports.Status) string {
		return map[reports.Status]string{
			reports.Passed: "✓", reports.Failed: "✗", reports.Broken: "!", reports.Unknown: "?", reports.NotRun: "–",
		}[s]
	},
	"window": Window,
	"count":  Count,
	"class":  func(s reports.Status) string { return strings.ReplaceAll(string(s), " ", "-") },
}

// Window writes a part of the run as the page's address has it; "" if there is none.
func Window(from, to time.Duration) string {
	if to == 0 || from == history.Never {
		return ""
	}
	if to == history.Never {
		to = from + time.Second
	}
	return fmt.Sprintf("%.3f-%.3f", max(from, 0).Seconds(), to.Seconds())
}

// At writes a time of the run for people.
func At(t time.Duration) string {
	if t == history.Never {
		return "the end"
	}
	return fmt.Sprintf("%.3f s", t.Seconds())
}

// Clip shortens a text to n runes.
func Clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// Count is a number of things in words.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
