package reports

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
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

// The elements of JUnit's XML, as the readers of CI systems know them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     float64      `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      float64     `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    float64       `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Error   *junitMessage `xml:"error,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the outcomes as JUnit's XML. A verdict of unknown is an error there, never a pass.
func (s Suite) JUnit(w io.Writer) error {
	suite := junitSuite{
		Name: s.Name, Tests: len(s.Outcomes), Failures: s.Count(Failed), Errors: s.Count(Broken) + s.Count(Unknown), Skipped: s.Count(NotRun),
		Time: s.Took.Seconds(), Timestamp: s.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, o := range s.Outcomes {
		c := junitCase{Name: printable(o.Name), Class: printable(o.Class), Time: o.Took.Seconds(), Out: printable("run it again: " + o.Command)}
		message := &junitMessage{Message: printable(o.Why), Type: string(o.Status), Text: printable(fmt.Sprintf("%s\n\nexpected: %s\nrun it again: %s\nreport: %s\n", o.Why, o.Expect, o.Command, o.Dir))}
		switch o.Status {
		case Failed:
			c.Failure = message
		case Broken, Unknown:
			c.Error = message
		case NotRun:
			c.Skipped = message
		}
		suite.Cases = append(suite.Cases, c)
	}
	all := junitSuites{
		Name: s.Name, Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Skipped: suite.Skipped, Time: suite.Time, Suites: []junitSuite{suite},
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable replaces what XML 1.0 has no place for.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return '?'
		}
		return r
	}, clip(text, 10_000))
}

// maxMarkdown keeps a job's summary well below what GitHub takes (1 MiB a step, and nothing of more).
const maxMarkdown = 200 << 10

// marks say how a run ended to those who see no colours.
var marks = map[Status]string{Passed: "✅", Failed: "❌", Unknown: "❓", Broken: "💥", NotRun: "⏭️"}

// Markdown is the summary of a suite: what went wrong first, with what leads to it.
func (s Suite) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s: %s\n\n", marks[s.Worst()], markdown(s.Name), s.Worst())
	fmt.Fprintf(&b, "%d passed, %d failed, %d unknown, %d errors, %d not run, in %s.\n", s.Count(Passed), s.Count(Failed), s.Count(Unknown), s.Count(Broken), s.Count(NotRun), s.Took.Round(time.Second))
	left := 0
	for _, status := range []Status{Failed, Broken, Unknown} {
		for _, o := range s.Outcomes {
			if o.Status != status {
				continue
			}
			if b.Len() > maxMarkdown/2 {
				left++
				continue
			}
			fmt.Fprintf(&b, "\n### %s %s\n\n%s (expected: %s)\n\n```sh\n%s\n```\n", marks[status], markdown(o.Name), markdown(clip(o.Why, 2000)), o.Expect, strings.ReplaceAll(clip(o.Command, 2000), "```", "` ` `"))
		}
	}
	fmt.Fprintf(&b, "\n| | run | took | |\n| --- | --- | --- | --- |\n")
	for _, o := range s.Outcomes {
		line := fmt.Sprintf("| %s %s | %s | %s | %s |\n", marks[o.Status], o.Status, markdown(o.Name), o.Took.Round(100*time.Millisecond), markdown(clip(o.Why, 200)))
		if b.Len()+len(line) > maxMarkdown-200 {
			left++
			continue
		}
		b.WriteString(line)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%d more entries are in the artifacts.\n", left)
	}
	return b.String()
}

// markdown makes a text one line that says nothing to a renderer of Markdown.
func markdown(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "@", "@\u200b").Replace(text)
}

// maxAnnotations is how many of a kind GitHub shows of a step.
const maxAnnotations = 10

// Annotations are GitHub's workflow commands for what went wrong.
func (s Suite) Annotations() string {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	n := 0
	for _, status := range []Status{Failed, Broken, Unknown} {
		for _, o := range s.Outcomes {
			if o.Status != status {
				continue
			}
			if n++; n <= maxAnnotations {
				fmt.Fprintf(&b, "::error title=%s::%s\n", property.Replace(clip(o.Name, 200)), escape.Replace(fmt.Sprintf("%s: %s\n%s", o.Status, clip(o.Why, 1000), o.Command)))
			}
		}
	}
	if n > maxAnnotations {
		fmt.Fprintf(&b, "::warning title=%s::%d more runs went wrong; see the summary\n", property.Replace(s.Name), n-maxAnnotations)
	}
	return b.String()
}
