package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// The values of events that are not clients' operations. Their F names which one it is.
const (
	FTest   = "test"   // Controller, once and first: a [Test]
	FPhase  = "phase"  // Controller: the run enters a [Phase]
	FClaim  = "claim"  // Observer: a [Claim] of the event's node
	FStatus = "status" // Observer: a [Status] of the event's node
	FHash   = "hash"   // Observer: a [Hash] of the event's node
	FExit   = "exit"   // Observer: the event's node ended by itself; Err says how
	FHeal   = "heal"   // Nemesis: a fault is undone
)

// Test describes the run that a history is of: enough to check it again with nothing else.
type Test struct {
	Version  int       `json:"version"` // of the format: 1
	Started  time.Time `json:"started"` // wall clock at time 0
	Target   string    `json:"target"`
	Fleet    string    `json:"fleet"`
	Workload string    `json:"workload"`
	Nemesis  string    `json:"nemesis"`
	Seed     uint64    `json:"seed"`
	Nodes    []string  `json:"nodes"`
	Clients  int       `json:"clients"`
	Checkers []string  `json:"checkers"`
	Command  string    `json:"command"` // the command line that runs it again
	// Timing is how the target's members are set, if it tells.
	Timing *Timing `json:"timing,omitempty"`
	// Caveat is what the target's documentation says that the run must expect; empty if nothing.
	Caveat  string            `json:"caveat,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Build   map[string]string `json:"build,omitempty"` // versions of sunder, Go, the kernel
}

// Timing is how the members of a target find out that their leader is gone: it lets them hear from it every
// Heartbeat, and one that has not heard for Election, at the least, stands for election.
type Timing struct {
	Heartbeat time.Duration `json:"heartbeat_ns"`
	Election  time.Duration `json:"election_ns"`
}

// Phase is a part of a run. Each lasts until the next one is noted.
type Phase string

// The phases, in their order.
const (
	PhaseLaunch  Phase = "launch"  // nodes start; nothing is expected of the cluster
	PhaseLoad    Phase = "load"    // clients call and the nemesis acts
	PhaseHeal    Phase = "heal"    // every fault is undone
	PhaseRecover Phase = "recover" // the cluster is given time to serve again
	PhaseFinal   Phase = "final"   // it serves: last reads at every node
	PhaseEnd     Phase = "end"     // the last call has ended
)

// Claim says that a node leads a term.
type Claim struct {
	Term uint64 `json:"term"`
	// Source is "log" (the node's own words) or "status" (its answer to a poll).
	Source string `json:"source"`
}

// Status is what a node answers about itself.
type Status struct {
	Role   string `json:"role"` // leader, follower, candidate, ...
	Term   uint64 `json:"term"`
	Leader string `json:"leader,omitempty"`
	// Vague says that the target cannot tell role and term of one and the same moment: a
	// leader's answer is no claim to the term.
	Vague   bool   `json:"vague,omitempty"`
	Commit  uint64 `json:"commit,omitempty"`
	Applied uint64 `json:"applied,omitempty"`
	// Hash of the applied state, if the target has one. Two nodes that applied the same
	// index must have the same hash.
	Hash string `json:"hash,omitempty"`
}

// Hash is what a node says of its state at a revision of the store. Two nodes must have the same
// hash at the same revision.
type Hash struct {
	Revision uint64 `json:"revision"`
	// Since is how far the state's past was forgotten, if that is part of what is hashed: such
	// hashes are compared only if it is the same.
	Since int64  `json:"since,omitempty"`
	Sum   string `json:"sum"`
}

// FaultEvent is the value of the nemesis' events. The id pairs the events of one fault.
type FaultEvent struct {
	ID       int             `json:"id"`
	Fault    json.RawMessage `json:"fault,omitempty"`    // invoke: what is about to be done
	Evidence json.RawMessage `json:"evidence,omitempty"` // ok, info: what was seen of it
}

// Fault is one fault of a run with its beginning and its end.
type Fault struct {
	FaultEvent
	F string
	// Began is when the nemesis set out; InForce when the fault was in place; Healing and
	// Healed when its undoing began and ended. A time that never came is [Never].
	Began, InForce, Healing, Healed time.Duration
	// Confirmed says that the fault was seen to act.
	Confirmed bool
	Err       string
}

// Test returns the description of the run, or false if the history has none.
func (h *History) Test() (Test, bool) {
	for i := range min(h.n, 1) {
		if e := h.Event(i); e.Process == Controller && e.F == FTest {
			var t Test
			if json.Unmarshal(e.Value, &t) == nil {
				return t, true
			}
		}
	}
	return Test{}, false
}

// Notes returns the events of the given process and f, with their values decoded as T. Events
// whose value is no T are passed over: they are no such notes. To T = struct{}, any value will do. What is
// decoded may be shared between events, and must not be changed.
func Notes[T any](h *History, process int, f string) iter.Seq2[Event, T] {
	return func(yield func(Event, T) bool) {
		name, ok := h.names.ids[f]
		if !ok {
			return
		}
		_, any := interface{}(*new(T)).(struct{})
		known := make(map[string]T) // nodes say the same things again and again
		var last json.RawMessage
		var v T
		for i := range h.n {
			r := h.record(i)
			if int(r.process) != process || uint32(r.f) != name {
				continue
			}
			e := h.Event(i)
			if !any && (last == nil || !bytes.Equal(e.Value, last)) {
				next, ok := known[string(e.Value)]
				if !ok && json.Unmarshal(e.Value, &next) != nil {
					continue
				}
				if !ok && len(known) < maxKnown {
					known[string(e.Value)] = next
				}
				v, last = next, e.Value
			}
			if !yield(e, v) {
				return
			}
		}
	}
}

// maxKnown bounds how many decoded values are kept.
const maxKnown = 1 << 12

// Span is the part of a run that a phase took.
type Span struct {
	Phase    Phase
	From, To time.Duration
}

// Phases returns the phases in order; the last one lasts until the history's end.
func (h *History) Phases() []Span {
	var spans []Span
	for e, p := range Notes[Phase](h, Controller, FPhase) {
		if len(spans) > 0 {
			spans[len(spans)-1].To = e.At
		}
		spans = append(spans, Span{p, e.At, h.End()})
	}
	return spans
}

// Faults returns the run's faults in the order in which they began. It is an error if the
// events of the nemesis do not fit together.
func (h *History) Faults() ([]Fault, error) {
	var faults []Fault
	at := make(map[int]int)
	for i := range h.n {
		if h.record(i).process != Nemesis {
			continue
		}
		e := h.Event(i)
		var v FaultEvent
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return nil, fmt.Errorf("event %d: value of a nemesis' event: %w", i, err)
		}
		place, known := at[v.ID]
		if starts := e.Kind == Invoke && e.F != FHeal; starts == known {
			return nil, fmt.Errorf("event %d: fault %d: its events do not fit together", i, v.ID)
		} else if starts {
			at[v.ID] = len(faults)
			faults = append(faults, Fault{FaultEvent: v, F: e.F, Began: e.At, InForce: Never, Healing: Never, Healed: Never})
			continue
		}
		f := &faults[place]
		if e.Err != "" {
			f.Err = e.Err
		}
		switch {
		case e.F == FHeal && e.Kind == Invoke:
			f.Healing = e.At
		case e.F == FHeal && e.Kind == OK:
			f.Healed = e.At
		case e.F == FHeal:
		default:
			f.InForce, f.Confirmed, f.Evidence = e.At, e.Kind == OK, v.Evidence
		}
	}
	return faults, nil
}
