// Package reports knows what runs and suites leave: results.json and suite.json, what they say, and where they are. It
// sees histories and results, never a cluster. Its houses draw what is there: page the report of a run, index the page
// over many, and server shows them; they know this package, and not each other.
package reports

import (
	"encoding/json"
	"io"
	"path/filepath"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// The files of a judged run.
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
}

// results is the content of results.json.
type results struct {
	Schema  int               `json:"schema"`
	Verdict checkers.Verdict  `json:"verdict"`
	Trouble string            `json:"trouble,omitempty"`
	Summary Summary           `json:"summary"`
	Results []checkers.Result `json:"results"`
}

// Place returns the run's directory as it is, without links: it may be runs/latest, or ".".
func (r Run) Place() (string, error) {
	dir, err := filepath.EvalSymlinks(r.Dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// WriteResults writes results.json into the run's directory: whole, or not at all.
func (r Run) WriteResults() error {
	dir, err := r.Place()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(results{1, checkers.Worst(r.Results), r.Trouble, r.Summarize(), r.Results}, "", "  ")
	if err != nil {
		return err
	}
	return ReplaceFile(filepath.Join(dir, ResultsFile), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// Trouble reads from a run's directory what had ended the run early, if anything had.
func Trouble(dir string) string {
	old, err := readResults(dir)
	if err != nil {
		return ""
	}
	return old.Trouble
}
