package local

import (
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// links is the state of all directed links and what went over them.
type links struct {
	mu    sync.Mutex
	state map[harness.Link]*linkState
	// changed is closed, and made anew, when a link is late by something else.
	changed chan struct{}
}

type linkState struct {
	cut   bool
	delay time.Duration
	harness.Traffic
}

func newLinks() *links {
	return &links{state: map[harness.Link]*linkState{}, changed: make(chan struct{})}
}

// of returns the state of a link; the caller holds mu.
func (s *links) of(l harness.Link) *linkState {
	state, ok := s.state[l]
	if !ok {
		state = &linkState{}
		s.state[l] = state
	}
	return state
}

// shape cuts or mends a link, lets it be late, and reports whether it was cut or mended.
func (s *links) shape(l harness.Link, cut bool, delay time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(l)
	changed := state.cut != cut
	if state.delay != delay {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	state.cut, state.delay = cut, delay
	return changed
}

// pass counts n bytes on a link and reports whether they get through.
func (s *links) pass(l harness.Link, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(l)
	if state.cut {
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
	return s.of(l).cut
}

// late returns how late a link is, and what is closed when that changes.
func (s *links) late(l harness.Link) (time.Duration, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l).delay, s.changed
}

func (s *links) traffic(links []harness.Link) map[harness.Link]harness.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[harness.Link]harness.Traffic, len(links))
	for _, l := range links {
		seen[l] = s.of(l).Traffic
	}
	return seen
}
