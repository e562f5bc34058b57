package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files that a suite leaves beside its runs.
const (
	SuiteFile   = "suite.json"
	JUnitFile   = "junit.xml"
	SummaryFile = "summary.md"
	IndexFile   = "index.html"
)

// Status is how a run of a suite ended, measured by what was expected of it.
type Status string

// The statuses. A run that found the violation which it was expected to find has passed.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Unknown Status = "unknown" // its verdict is
	Broken  Status = "error"   // it did not come to a verdict
	NotRun  Status = "not run" // there was no time
)

// Statuses returns all of them, the worst first.
func Statuses() []Status { return []Status{Failed, Broken, Unknown, NotRun, Passed} }

// Outcome is what became of a run of a suite.
type Outcome struct {
	Name    string        `json:"name"`
	Suite   string        `json:"suite,omitempty"` // the suite that it is of
	Class   string        `json:"class"`           // what runs of the suite with other seeds share
	Status  Status        `json:"status"`
	Expect  string        `json:"expect"`
	Why     string        `json:"why"`
	Command string        `json:"command"`
	Dir     string        `json:"dir,omitempty"` // of the run, beside the suite's file
	Took    time.Duration `json:"took_ns"`
	// Part says that it stands for a part of the suite of which nothing is known, and not for a run.
	Part bool `json:"part,omitempty"`
}

// Suite is what became of a suite, or of one part of it.
type Suite struct {
	Name string `json:"name"`
	// Part is the number, from 1, of Parts that the suite was dealt out to; both are 0 for the whole.
	Part    int       `json:"part,omitempty"`
	Parts   int       `json:"parts,omitempty"`
	Started time.Time `json:"started"`
	// Done says that it has ended; else it is under way, or was killed.
	Done     bool          `json:"done"`
	Took     time.Duration `json:"took_ns"`
	Outcomes []Outcome     `json:"outcomes"`
}

// Count returns how many runs ended with a status.
func (s Suite) Count(status Status) (n int) {
	for _, o := range s.Outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

// Worst returns the worst status: failed, then error, then unknown and not run, then passed. Of nothing it is unknown.
func (s Suite) Worst() Status {
	for _, status := range Statuses() {
		if s.Count(status) > 0 {
			return status
		}
	}
	return Unknown
}

// Claim begins a suite in a directory, and says there what it is going to run. It is an error, [fs.ErrExist], if the
// directory has a suite.
func (s Suite) Claim(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, SuiteFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return s.Save(dir)
}

// Save writes suite.json in one piece: whoever reads it, and whenever the suite is killed, finds a whole one.
func (s Suite) Save(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return ReplaceFile(
		filepath.Join(dir, SuiteFile),
		func(w io.Writer) error { _, err := w.Write(append(b, '\n')); return err },
	)
}

// ReadSuite reads what a suite left in a directory.
func ReadSuite(dir string) (s Suite, err error) {
	path := filepath.Join(dir, SuiteFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	for _, o := range s.Outcomes {
		if !slices.Contains(Statuses(), o.Status) {
			return s, fmt.Errorf("%s: run %q has the status %q, which is none", path, o.Name, o.Status)
		}
	}
	return s, nil
}
