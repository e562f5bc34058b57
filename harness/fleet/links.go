package fleet

import (
	"sync"

	"github.com/sunder-dev/sunder/harness"
)

// links is the state of all directed links and what went over them.
type links struct {
	mu    sync.Mutex
	state map[harness.Link]*linkState
}

type linkState struct {
	harness.Impairment
	harness.Traffic
}

func newLinks() *links { return &links{state: map[harness.Link]*linkState{}} }

// of returns the state of a link; the caller holds mu.
func (s *links) of(l harness.Link) *linkState {
	state, ok := s.state[l]
	if !ok {
		state = &linkState{}
		s.state[l] = state
	}
	return state
}

// shape sets the state of a link and reports whether it was another one before.
func (s *links) shape(l harness.Link, i harness.Impairment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(l)
	changed := state.Impairment != i
	state.Impairment = i
	return changed
}

// pass counts n bytes on a link and reports whether they get through.
func (s *links) pass(l harness.Link, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(l)
	if state.Drop {
		state.Dropped += uint64(n)
		return false
	}
	state.Passed += uint64(n)
	return true
}

// cut reports whether a link loses everything.
func (s *links) cut(l harness.Link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l).Drop
}

func (s *links) traffic(l harness.Link) harness.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l).Traffic
}
