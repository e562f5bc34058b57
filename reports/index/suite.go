package index

import (
	"errors"
	"io"
	"path/filepath"

	"github.com/sunder-dev/sunder/reports"
)

// WriteSuite writes suite.json, junit.xml and summary.md of a suite that has ended into a directory.
func WriteSuite(dir string, s reports.Suite) error {
	s.Done = true
	return errors.Join(
		s.Save(dir),
		reports.ReplaceFile(filepath.Join(dir, reports.JUnitFile), func(w io.Writer) error { return JUnit(w, s) }),
		reports.ReplaceFile(filepath.Join(dir, reports.SummaryFile), func(w io.Writer) error {
			_, err := io.WriteString(w, Markdown(s))
			return err
		}),
	)
}
