package sunder

import (
	"context"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
)

// TB is what [Require] needs of a [testing.TB].
type TB interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Require runs a test and fails t unless its verdict is valid. The message is the verdict's sentence and the report's
// path.
func Require(t TB, test harness.Test) Outcome {
	t.Helper()
	o, err := Run(t.Context(), test)
	if o.Verdict != checkers.Valid && o.Results != nil {
		t.Fatalf("%s: %s%s\n%s", o.Verdict, o.Summary.Why, o.Summary.Story.Lines(), o.Report)
	}
	if err != nil {
		t.Fatalf("the test did not come to its end: %v\n%s", err, o.Report)
	}
	t.Logf("%s: %s\n%s", o.Verdict, o.Summary.Why, o.Report)
	return o
}
