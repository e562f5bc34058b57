package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// Outcome is a run of a suite that has ended.
type Outcome struct {
	Name    string        `json:"name"`
	Class   string        `json:"class"` // what runs of other seeds share
	Status  Status        `json:"status"`
	Expect  string        `json:"expect"`
	Why     string        `json:"why"`
	Command string        `json:"command"`
	Dir     string        `json:"dir,omitempty"` // of the run, beside the suite's file
	Took    time.Duration `json:"took_ns"`
}

// Suite is what became of a suite.
type Suite struct {
	Name     string        `json:"name"`
	Started  time.Time     `json:"started"`
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
	for _, status := range []Status{Failed, Broken, Unknown, NotRun} {
		if s.Count(status) > 0 {
			return status
		}
	}
	if len(s.Outcomes) == 0 {
		return Unknown
	}
	return Passed
}

// Write writes suite.json, junit.xml and summary.md into a directory.
func (s Suite) Write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, SuiteFile), append(b, '\n'), 0o644),
		writeFile(filepath.Join(dir, JUnitFile), s.JUnit),
		writeFile(filepath.Join(dir, SummaryFile), func(w io.Writer) error { _, err := io.WriteString(w, s.Markdown()); return err }),
	)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// ReadSuite reads what a suite left in a directory.
func ReadSuite(dir string) (s Suite, err error) {
	b, err := os.ReadFile(filepath.Join(dir, SuiteFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(dir, SuiteFile), err)
	}
	return s, nil
}
