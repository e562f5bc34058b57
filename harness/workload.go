package harness

import (
	"context"
	"encoding/json"
	"math/rand/v2"

	"github.com/sunder-dev/sunder/harness/history"
)

// Workload is what clients do.
type Workload interface {
	// Next makes up the next call of a process. It is pure: the same randomness and the same
	// turn give the same call.
	Next(r *rand.Rand, t Turn) Call
	// Invoke makes the call. Its error wraps [ErrNotApplied] only if nothing has happened.
	Invoke(ctx context.Context, c Client, call Call) (Answer, error)
}

// Answer is what came of a call.
type Answer struct {
	// Value is what the key holds after the call, as far as the answer tells.
	Value json.RawMessage
	Stamp history.Stamp
}

// Operator is a workload that says which operations it is to call. Each of them must have succeeded, or it was not
// tested.
type Operator interface{ Operations() []string }

// Finalizer is a workload that wants last calls at every node, once all faults are healed.
type Finalizer interface {
	// Final returns the calls to be made at each node, given how many calls were made so far.
	Final(calls int) []Call
}

// Turn is what a workload may base its next call on.
type Turn struct {
	Worker int // from 0
	Seq    int // calls made by this worker so far
	Calls  int // calls of all workers so far, without those that are known to have failed
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
}
