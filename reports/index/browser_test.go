package index

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// An index opens like a report.
func TestIndexInABrowser(t *testing.T) {
	dir := t.TempDir()
	runIn(t, dir, "20261101-a", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), checkers.Invalid, map[string]string{"target-flag": reportstest.Hostile})
	require.NoError(t, Write(dir))
	url := "file://" + filepath.Join(dir, reports.IndexFile)
	p := reportstest.Open(t, url)
	require.Equal(t, "undefined", reportstest.Eval[string](t, p, `typeof window.pwned`))
	require.Equal(t, 1, reportstest.Eval[int](t, p, `document.querySelectorAll('a.square.failed').length`))
	require.Empty(t, p.Wrong(url))
}
