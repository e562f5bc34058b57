// Package reports writes what a run leaves for people and for other programs: results.json and
// report.html. It sees histories and results, never a cluster.
package reports

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// The files that [Run.Write] writes.
const (
	HTMLFile    = "report.html"
	ResultsFile = "results.json"
)

// Run is a judged run.
type Run struct {
	Dir     string
	History *history.History
	Results []checkers.Result
	// Trouble is what ended the run early, in words; empty if nothing did.
	Trouble string
	// Renderers show what checkers attach, by kind; nil are [DefaultRenderers].
	Renderers map[string]Renderer
}

// results is the content of results.json.
type results struct {
	Schema  int               `json:"schema"`
	Verdict checkers.Verdict  `json:"verdict"`
	Trouble string            `json:"trouble,omitempty"`
	Summary Summary           `json:"summary"`
	Results []checkers.Result `json:"results"`
}

// Write writes all files into the run's directory. The results are written first: a picture that
// cannot be drawn changes no verdict.
func (r Run) Write() (err error) {
	if r.Dir, err = filepath.EvalSymlinks(r.Dir); err != nil { // it may be runs/latest, or "."
		return err
	}
	if r.Dir, err = filepath.Abs(r.Dir); err != nil {
		return err
	}
	summary := r.Summarize()
	b, err := json.MarshalIndent(results{1, checkers.Worst(r.Results), r.Trouble, summary, r.Results}, "", "  ")
	if err != nil {
		return err
	}
	// Each is there whole, or not at all.
	results := replaceFile(filepath.Join(r.Dir, ResultsFile), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
	return errors.Join(results, replaceFile(filepath.Join(r.Dir, HTMLFile), func(to io.Writer) error {
		w := bufio.NewWriter(to)
		return errors.Join(r.draw(w, summary), w.Flush())
	}))
}

// draw writes the page; a picture that crashes is an error like any other.
func (r Run) draw(w io.Writer, s Summary) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("drawing crashed: %v", p)
		}
	}()
	return r.writeHTML(w, s)
}

// Trouble reads from a run's directory what had ended the run early, if anything had.
func Trouble(dir string) string {
	old, err := readResults(dir)
	if err != nil {
		return ""
	}
	return old.Trouble
}
