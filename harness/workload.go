package harness

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Workload is what clients do.
type Workload interface {
	// Next makes up the next call of a process. It is pure: the same randomness and the same
	// turn give the same call.
	Next(r *rand.Rand, t Turn) Call
	// Invoke makes the call. Its error wraps [ErrNotApplied] only if nothing has happened, and is a [Refusal] if
	// that was the answer. What an answer tells is recorded although there is an error.
	Invoke(ctx context.Context, c Client, call Call) (Answer, error)
	// Needs returns what the target must be able to do.
	Needs() []Capability
}

// Answer is what came of a call.
type Answer struct {
	// Value is what the key holds after the call, as far as the answer tells.
	Value json.RawMessage
	Stamp history.Stamp
}

// Operator is a workload that says which operations it is to call. Each of them must have succeeded, or it was not
// tested.
type Operator interface{ Operations() []Operation }

// Operation is one of the operations of a workload.
type Operation struct {
	F string
	// ReadOnly says that it changes nothing.
	ReadOnly bool
}

// Paced is a workload of which fewer calls succeed than of others, as clients wait for each other.
type Paced interface {
	// LeastRate is how many calls a second must succeed, if the test does not say.
	LeastRate() float64
}

// Finalizer is a workload that wants last calls at every node, once all faults are healed.
type Finalizer interface {
	// Final returns the calls to be made at each node, given how many calls were made so far.
	Final(calls int) []Call
}

// Settling is a [Finalizer] whose last calls come a while after the load has ended, and the cluster serves: what ends
// by itself has ended by then.
type Settling interface{ Settle() time.Duration }

// Turn is what a workload may base its next call on.
type Turn struct {
	Worker int // from 0
	Seq    int // calls made by this worker so far
	Calls  int // calls of all workers so far, without those that are known to have failed
	// Elapsed is how long the load has lasted.
	Elapsed time.Duration
	// Last is what became of this worker's last call; nil before the first.
	Last *Outcome
	// Seen returns the value that was last seen under a key, by any client.
	Seen func(key string) (json.RawMessage, bool)
}

// Call is one call of a client.
type Call struct {
	F     string
	Key   string
	Value json.RawMessage
	// ReadOnly says that the call changes nothing: if it fails, it has failed.
	ReadOnly bool
	// Timeout is after how long the call is given up; 0 is what the test says.
	Timeout time.Duration
	// Process is the one that calls; the run sets it.
	Process int
}

// Outcome is what became of a call.
type Outcome struct {
	Call Call
	// Kind is [history.OK], [history.Fail] or [history.Info].
	Kind   history.Kind
	Answer Answer
	// Err is nil only if the call succeeded.
	Err error
}
