package suite

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child/childtest"
	"github.com/sunder-dev/sunder/reports"
)

// What a run came to is what its results say; an exit code alone proves nothing.
func TestRunCell(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		expect  reports.Expectation
		results string
		want    reports.Status
		why     string
	}{
		"exit 1 without results":     {"echo fatal >&2; exit 1", reports.ExpectInvalid, "", reports.Broken, "exit code 1 and no verdict: fatal"},
		"exit 0 without results":     {"exit 0", reports.ExpectValid, "", reports.Broken, "exit code 0 and no verdict"},
		"a crash of Go":              {"echo 'panic: in a goroutine' >&2; exit 2", reports.ExpectValid, "", reports.Broken, "panic: in a goroutine"},
		"killed":                     {"kill -9 $$", reports.ExpectValid, "", reports.Broken, "signal: killed"},
		"valid":                      {"exit 0", reports.ExpectValid, "valid", reports.Passed, "why"},
		"invalid":                    {"exit 1", reports.ExpectValid, "invalid", reports.Failed, "why"},
		"invalid, as expected":       {"exit 1", reports.ExpectInvalid, "invalid", reports.Passed, "why"},
		"valid, but it was expected": {"exit 0", reports.ExpectInvalid, "valid", reports.Failed, "a violation was expected, and none was found"},
		"unknown":                    {"exit 2", reports.ExpectInvalid, "unknown", reports.Unknown, "why"},
		"they differ":                {"exit 0", reports.ExpectInvalid, "invalid", reports.Broken, "why"},
		"invalid, however it ended":  {"kill -9 $$", reports.ExpectValid, "invalid", reports.Failed, "why"},
		"no results that are any":    {"exit 0", reports.ExpectValid, "purple", reports.Broken, "is no verdict"},
		"interrupted by itself":      {"exit 130", reports.ExpectValid, "valid", reports.Broken, "why"},
	} {
		out, script := t.TempDir(), ""
		if c.results != "" {
			script += fmt.Sprintf("mkdir %[1]s/run; echo '{\"summary\":{\"target\":\"raft\",\"verdict\":\"%[2]s\",\"why\":\"why\",\"command\":\"again\"}}' > %[1]s/run/results.json; echo %[1]s/run/report.html\n", out, c.results)
		}
		o := Runner{
			Program: childtest.Shim(t, script+c.script), Out: out, AtMost: func(Cell) time.Duration { return time.Minute },
		}.runCell(t.Context(), Cell{Expect: c.expect}, reports.Outcome{})
		require.Equal(t, c.want, o.Status, name)
		require.Contains(t, o.Why, c.why, name)
	}
}
