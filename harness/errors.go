package harness

import "errors"

// ErrNotApplied marks an error after which it is certain that nothing has happened, and that
// nothing will. Wrapping it is a claim of proof: say in a comment what the proof is. An error
// that does not wrap it leaves a call in doubt.
var ErrNotApplied = errors.New("not applied")

// Refusal is the proof that a call changed nothing, for a reason that is an answer: a comparison that found another
// value, a lock that another one holds.
type Refusal struct {
	// Reason is recorded as it is: [history.Mismatch].
	Reason string
	// Found is what the target says that it found instead; nil if it found nothing. Known says that it told.
	Found *string
	Known bool
}

// Error implements error.
func (r Refusal) Error() string { return "refused: " + r.Reason }

// Unwrap makes it the proof that it is.
func (r Refusal) Unwrap() error { return ErrNotApplied }

// ErrDidNothing marks the error of a deed that is known to have done nothing, and to do nothing: there is nothing to
// undo, and nothing that a fault may have broken half-way.
var ErrDidNothing = errors.New("nothing was done")

// ErrUnsupported marks what a target or fleet cannot do at all. Its message says who can.
var ErrUnsupported = errors.New("unsupported")
