package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/checkers"
)

// Expectation is how a run is to end: "valid"; "invalid"; or "invalid:mutex", which says by which checkers, and by no
// others. A run that is expected to find a violation and finds none is a failure: what it was to show, it does not
// show.
type Expectation string

// The expectations that name no checker. An empty one is that of any run: valid, or, if a bug was planted, invalid.
const (
	ExpectValid   Expectation = "valid"
	ExpectInvalid Expectation = "invalid"
)

// Check says what is wrong with an expectation, where such checkers are known.
func (e Expectation) Check(all checkers.Registry) error {
	verdict, names, named := strings.Cut(string(e), ":")
	if named && verdict == string(ExpectInvalid) {
		for name := range strings.SplitSeq(names, ",") {
			if _, _, err := all.Find(name); err != nil {
				return err
			}
		}
		return nil
	}
	if e == ExpectValid || e == ExpectInvalid {
		return nil
	}
	return fmt.Errorf("a run is expected to be %s, %s or %s:CHECKER, not %q",
		ExpectValid, ExpectInvalid, ExpectInvalid, string(e))
}

// Violation reports whether a violation is expected.
func (e Expectation) Violation() bool { return strings.HasPrefix(string(e), string(ExpectInvalid)) }

// Unmet says why a run that was judged does not end as expected; empty if it does.
func (e Expectation) Unmet(s Summary) string {
	_, names, named := strings.Cut(string(e), ":")
	switch {
	case !e.Violation() && s.Verdict == checkers.Valid:
		return ""
	case !e.Violation():
		return s.Why
	case s.Verdict != checkers.Invalid:
		return "a violation was expected, and none was found: " + s.Why
	case !named:
		return ""
	}
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.Contains(s.Violated, name) {
			return fmt.Sprintf("%s was to find a violation, and did not: %s", name, s.Why)
		}
	}
	for _, name := range s.Violated {
		if !slices.Contains(wanted, name) {
			return fmt.Sprintf("%s found a violation, which was not expected: %s", name, s.Why)
		}
	}
	return ""
}
