// Package history holds what a run recorded: every operation of every client, every fault of the
// nemesis, and every observation of the cluster, in the order in which the controller saw them.
//
// A history is one file of JSON lines (docs/history.md describes it) and it is all that a checker
// needs. The package imports nothing of ours, so that histories of any age and origin can be
// checked and rendered with no cluster in sight.
//
// The words are Jepsen's. A process is one logical client and never has two calls open at once.
// A call is an [Invoke] event, followed by [OK] (it happened), [Fail] (it is proven not to have
// happened) or [Info] (nobody knows). A process ends with its first info: the call may still
// take effect at any later time, so whoever goes on must go on under a new number.
package history

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Never is the return time of a call whose end nobody knows: it may take effect at any time after
// its invocation.
const Never = time.Duration(math.MaxInt64)

// Processes below zero are not clients.
const (
	Nemesis    = -1 // faults
	Observer   = -2 // statuses and leadership claims, read from the nodes
	Controller = -3 // the run itself: its description and its phases
)

// Kind says what an event is. The zero Kind is no kind at all and is refused by readers.
type Kind uint8

// The kinds of events. Invoke, OK, Fail and Info are Jepsen's; Note is an observation that nobody
// asked for and nobody answers.
const (
	Invoke Kind = iota + 1
	OK
	Fail
	Info
	Note
)

var kindNames = [...]string{Invoke: "invoke", OK: "ok", Fail: "fail", Info: "info", Note: "note"}

// String returns the kind's name in a history file.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

func kindOf(name []byte) (Kind, bool) {
	for k := Invoke; k <= Note; k++ {
		if kindNames[k] == string(name) {
			return k, true
		}
	}
	return 0, false
}

// Event is one line of a history.
type Event struct {
	// Index is the event's place in the history, from 0 and without gaps.
	Index int
	// At is the time since the start of the run on the controller's monotonic clock. It never
	// decreases from one event to the next.
	At time.Duration
	// Process is the client that acts, or one of [Nemesis], [Observer] and [Controller].
	Process int
	Kind    Kind
	// F names what is done: "read", "write", "cas", "isolate", "claim".
	F string
	// Node is the node that is talked to or talked about; empty if there is none.
	Node string
	// Key is the part of the data that the call touches; empty if it touches no single key.
	Key string
	// Value is what is asked for (Invoke) or what was answered (OK). It is valid JSON or empty.
	Value json.RawMessage
	// Err says in words why a call failed or is in doubt.
	Err string
	// Stamp is the place of an answer in the target's own order, as far as the answer tells.
	Stamp Stamp
}

// Stamp is what an answer says of its place in the target's own order of things. Zero is what it
// does not say.
type Stamp struct {
	// Version is that of the key which was read or written: etcd's mod_revision, Consul's
	// ModifyIndex. No two writes of a key have the same.
	Version uint64
	// Revision is that of the whole store when it answered: etcd's revision, Consul's index.
	Revision uint64
	// Term is the term that the answering node was in.
	Term uint64
}

// Op is one call of a client: its invocation and its completion.
type Op struct {
	Call Event
	// Return is the completion. Where the history has none, or only an info, Return.At is
	// [Never] and Return.Kind is [Info].
	Return Event
}

// Mismatch is the Err of a failed compare-and-set of which the target said outright that the
// compared value was another one. It is the one kind of failure that is also an observation.
const Mismatch = "mismatch"
