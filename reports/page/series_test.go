package page

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// A report leads to the runs of the same before and after it, and to the last that was as it should be.
func TestReportsLeadToOthers(t *testing.T) {
	dir := t.TempDir()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	links := func(name string) []string {
		page, err := os.ReadFile(filepath.Join(dir, name, reports.HTMLFile))
		require.NoError(t, err)
		return regexp.MustCompile(`(?:\.\./[^"]*|(?:Previous|Last green|Next)[^<]*)`).FindAllString(string(page), -1)
	}
	for i, v := range []checkers.Verdict{checkers.Valid, checkers.Unknown, checkers.Invalid, checkers.Valid} {
		runIn(t, dir, fmt.Sprintf("2026110%d", i), day.AddDate(0, 0, i), v, nil)
		runIn(t, dir, fmt.Sprintf("2026110%d-other", i), day.AddDate(0, 0, i), checkers.Valid, map[string]string{"consistency": "stale"})
	}
	require.Empty(t, reports.SeriesOf(filepath.Join(dir, "20261100"), reports.Summary{Target: "another"}))
	require.NoError(t, index.Write(dir))
	require.Empty(t, links("20261100"), "it was the first, and there was no index")
	require.NoError(t, os.Symlink("20261102", filepath.Join(dir, "latest")))
	runIn(t, dir, "latest", day.AddDate(0, 0, 2), checkers.Invalid, nil) // as 'sunder report runs/latest' does
	require.Equal(t, []string{
		"../index.html", "../20261101/report.html", "Previous: ? unknown", "../20261100/report.html", "Last green: 2026-11-01 00:00", "../20261103/report.html", "Next: ✓ passed",
	}, links("20261102"))
}

// runIn leaves a run in a directory as one that has ended, with its page.
func runIn(t *testing.T, dir, name string, started time.Time, verdict checkers.Verdict, options map[string]string) {
	require.NoError(t, Write(reportstest.RunIn(t, dir, name, started, verdict, options), nil))
}
