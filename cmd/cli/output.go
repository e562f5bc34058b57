package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// What is printed on standard output.
const (
	formatOfText = "text"
	formatOfJSON = "json"
)

// printResults prints a line for each checker, and the pictures that have a text.
func printResults(w io.Writer, results []checkers.Result) {
	for _, r := range results {
		fmt.Fprintf(w, "%-9s %-8s %s (%.2f s)\n", r.Checker, r.Verdict, r.Why, r.Took.Seconds())
		for _, a := range r.Attach {
			var t checkers.Timeline
			if a.Kind == checkers.KindTimeline && json.Unmarshal(a.Data, &t) == nil {
				fmt.Fprintf(w, "\n%s\n", strings.TrimRight(indent(t.Text()), "\n "))
			}
		}
	}
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// summary is the verdict and the command that leads to it.
func summary(h *history.History, v checkers.Verdict) string {
	text := strings.ToUpper(v.String())
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
		fmt.Fprint(l.w, clearLine, text)
		l.drawn = true
	case p.Phase != l.phase || p.Elapsed >= l.next:
		fmt.Fprintln(l.w, text)
		l.phase, l.next = p.Phase, p.Elapsed+plainInterval
	}
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
