// Package referee judges what the engines of package register say. An order that is to explain a history is replayed,
// operation by operation; operations that are to have no such order are handed to porcupine. It shares nothing with the
// engines: neither their numbers for values nor their model of a register, so that a mistake of theirs is not
// confirmed by itself.
package referee

import "math"

// Never is the return time of an operation in doubt: it may take effect at any time after its call, or not at all.
const Never = math.MaxInt64

// Action is what an operation does.
type Action uint8

// The actions.
const (
	Read   Action = iota // found Old
	Write                // leaves New behind
	Swap                 // a compare-and-set: found Old and leaves New behind
	Differ               // found something else than Old: a compare-and-set that failed
)

// Step is one operation on a register as its client saw it. V is a value in whatever form the caller has it.
type Step[V any] struct {
	// Call and Return are the ends of a closed interval: operations that touch are concurrent. Return is
	// [Never] if the operation is in doubt.
	Call, Return int64
	// Version is that of the value that was found or left behind, if the target told; 0 if not. Whatever is left
	// behind has a greater version than all that was before.
	Version uint64
	Old     V
	New     V
	Action  Action
}

// Register is what steps act on.
type Register[V any] struct {
	Initial V
	// Same says whether two values are equal.
	Same func(a, b V) bool
}

// state is what a register holds. Its version is told, or greater than the one here.
type state[V any] struct {
	value   V
	version uint64
	told    bool
}

// after returns the state after a step, or false if the step cannot have come about in this one.
func (r *Register[V]) after(now state[V], s *Step[V]) (state[V], bool) {
	switch s.Action {
	case Write:
	case Differ:
		return now, !r.Same(now.value, s.Old)
	default:
		if !r.Same(now.value, s.Old) {
			return now, false
		}
	}
	if s.Action == Read {
		switch {
		case s.Version == 0:
			return now, true
		case now.told:
			return now, s.Version == now.version
		}
		later := s.Version > now.version
		now.version, now.told = s.Version, true
		return now, later
	}
	now.value, now.told = s.New, s.Version != 0
	if !now.told {
		return now, true
	}
	later := s.Version > now.version
	now.version = s.Version
	return now, later
}
