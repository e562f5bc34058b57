package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/story"
)

// printed is what is printed on standard output; it implements [pflag.Value].
type printed string

const (
	printedText printed = "text"
	printedJSON printed = "json"
)

// add declares --format, which means the same for all commands that have it.
func (p *printed) add(flags *pflag.FlagSet) {
	*p = printedText
	flags.Var(p, "format", "what is printed on standard output: text, or json")
}

// String implements [pflag.Value].
func (p *printed) String() string { return string(*p) }

// Type implements [pflag.Value].
func (p *printed) Type() string { return "text|json" }

// Set implements [pflag.Value].
func (p *printed) Set(text string) error {
	if *p = printed(text); *p != printedText && *p != printedJSON {
		return fmt.Errorf("text or json, not %q", text)
	}
	return nil
}

// writeJSON writes a document for programs.
func writeJSON(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// printResults prints a line for each checker, and the pictures that have a text.
func printResults(w io.Writer, results []checkers.Result) {
	for _, r := range results {
		verdict := coloured(w, r.Verdict, fmt.Sprintf("%-8s", r.Verdict))
		fmt.Fprintf(w, "%-9s %s %s (%.2f s)\n", r.Checker, verdict, r.Why, r.Took.Seconds())
		for _, a := range r.Attach {
			var t checkers.Timeline
			if a.Kind == checkers.KindTimeline && json.Unmarshal(a.Data, &t) == nil {
				fmt.Fprintf(w, "\n%s\n", strings.TrimRight(indent(t.Text()), "\n "))
			}
		}
	}
}

// printStory prints what happened, if something broke.
func printStory(w io.Writer, s *story.Story) {
	if s == nil {
		return
	}
	fmt.Fprintf(w, "\n%s%s\n\n", s.Headline, s.Lines())
}

// coloured colours what is written to a terminal by a verdict, unless NO_COLOR says not to (https://no-color.org).
func coloured(w io.Writer, v checkers.Verdict, text string) string {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	colour := map[checkers.Verdict]string{checkers.Valid: "32", checkers.Invalid: "31", checkers.Unknown: "33"}[v]
	return "\x1b[1;" + colour + "m" + text + "\x1b[0m"
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// summary is the verdict and the command that leads to it.
func summary(w io.Writer, h *history.History, v checkers.Verdict) string {
	text := coloured(w, v, strings.ToUpper(v.String()))
	if t, ok := h.Test(); ok {
		text = fmt.Sprintf("%s  %s/%s/%s seed %d", text, oneLine(t.Target), oneLine(t.Workload), oneLine(t.Nemesis), t.Seed)
	}
	if starved := checkers.Starved(h); starved != "" {
		text += "; " + starved
	}
	return text
}

// progressLine shows how a run is going: on a terminal one line that is drawn again and again,
// elsewhere a line for each phase and every ten seconds.
type progressLine struct {
	w        io.Writer
	quiet    bool
	terminal bool

	mu    sync.Mutex
	phase history.Phase
	next  time.Duration
	drawn bool
	said  bool // that there is a violation
}

const plainInterval = 10 * time.Second

// clearLine lets a terminal draw its last line anew.
const clearLine = "\r\x1b[2K"

func newProgressLine(w io.Writer, quiet bool) *progressLine {
	f, ok := w.(*os.File)
	return &progressLine{w: w, quiet: quiet, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (l *progressLine) update(p harness.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		return
	}
	text := fmt.Sprintf("%6.1f s  %-7s  %d ok  %d fail  %d info  leader %s term %d  %s",
		p.Elapsed.Seconds(), p.Phase, p.OK, p.Fail, p.Info, orDash(p.Leader), p.Term, faultWords(p.Faults))
	if f := p.Finding; f != nil {
		if !l.said {
			if l.terminal {
				fmt.Fprint(l.w, clearLine)
			}
			fmt.Fprintln(l.w, violationWords(*f)+": "+f.Why)
			l.said = true
		}
		text += "  " + strings.ToUpper(violationWords(*f))
	}
	switch {
	case l.terminal:
		fmt.Fprint(l.w, clearLine, l.cut(text))
		l.drawn = true
	case p.Phase != l.phase || p.Elapsed >= l.next:
		fmt.Fprintln(l.w, text)
		l.phase, l.next = p.Phase, p.Elapsed+plainInterval
	}
}

// cut cuts a line to the width of the terminal: one that is wrapped cannot be drawn anew.
func (l *progressLine) cut(text string) string {
	width := 0
	if f, ok := l.w.(*os.File); ok {
		width, _, _ = term.GetSize(int(f.Fd())) // 0 if it is not known
	}
	return cutTo(text, width)
}

func cutTo(text string, width int) string {
	if runes := []rune(text); width > 1 && len(runes) > width-1 {
		return string(runes[:width-2]) + "…"
	}
	return text
}

func (l *progressLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn {
		fmt.Fprintln(l.w)
	}
}

// violationWords says when a violation was there, and who found it.
func violationWords(f history.Finding) string {
	if f.At == history.Never {
		return "a violation, by " + f.Checker
	}
	return fmt.Sprintf("a violation at %.1f s, by %s", f.At.Seconds(), f.Checker)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func faultWords(faults []string) string {
	if len(faults) == 0 {
		return "no fault"
	}
	return strings.Join(faults, ", ")
}
