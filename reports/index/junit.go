package index

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/view"
)

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
func JUnit(w io.Writer, s reports.Suite) error {
	suite := junitSuite{
		Name:      s.Name,
		Tests:     len(s.Outcomes),
		Failures:  s.Count(reports.Failed),
		Errors:    s.Count(reports.Broken) + s.Count(reports.Unknown),
		Skipped:   s.Count(reports.NotRun),
		Time:      s.Took.Seconds(),
		Timestamp: s.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, o := range s.Outcomes {
		c := junitCase{
			Name:  printable(o.Name),
			Class: printable(o.Class),
			Time:  o.Took.Seconds(),
			Out:   printable("run it again: " + o.Command),
		}
		message := &junitMessage{
			Message: printable(o.Why),
			Type:    string(o.Status),
			Text: printable(
				fmt.Sprintf("%s\n\nexpected: %s\nrun it again: %s\nreport: %s\n", o.Why, o.Expect, o.Command, o.Dir),
			),
		}
		switch o.Status {
		case reports.Failed:
			c.Failure = message
		case reports.Broken, reports.Unknown:
			c.Error = message
		case reports.NotRun:
			c.Skipped = message
		}
		suite.Cases = append(suite.Cases, c)
	}
	all := junitSuites{
		Name:     s.Name,
		Tests:    suite.Tests,
		Failures: suite.Failures,
		Errors:   suite.Errors,
		Skipped:  suite.Skipped,
		Time:     suite.Time,
		Suites:   []junitSuite{suite},
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
	}, view.Clip(text, 10_000))
}
