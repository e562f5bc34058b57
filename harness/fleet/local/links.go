package local

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// links is the state of all directed links and what went over them.
type links struct {
	mu     sync.Mutex
	chance *rand.Rand
	state  map[harness.Link]*linkState
	// changed is closed, and made anew, when a link becomes another one.
	changed chan struct{}
}

type linkState struct {
	harness.Impairment
	free time.Time // when a narrow link is through with what it was sent so far
	harness.Traffic
}

func newLinks() *links {
	return &links{chance: rand.New(rand.NewPCG(0, 0)), state: map[harness.Link]*linkState{}, changed: make(chan struct{})}
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

// shape brings a link to a state, and reports whether it was cut or mended.
func (s *links) shape(l harness.Link, i harness.Impairment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(l)
	before := state.Impairment
	if i.Rate == 0 {
		state.free = time.Time{}
	}
	if state.Impairment = i; i != before {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return before.Drop != i.Drop
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

// now returns how bad a link is, and what is closed when that changes.
func (s *links) now(l harness.Link) (harness.Impairment, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l).Impairment, s.changed
}

// queue lets n bytes queue for a link, and returns when it is through with them: at once, unless it is narrow.
func (s *links) queue(l harness.Link, n int) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, now := s.of(l), time.Now()
	if state.Rate == 0 {
		return now
	}
	if state.free.Before(now) {
		state.free = now
	}
	state.free = state.free.Add(time.Duration(float64(n) / float64(state.Rate) * float64(time.Second)))
	if state.free.Sub(now) >= heldUp {
		state.Queued++
	}
	return state.free
}

// heldUp is how long a piece waits that a narrow link holds up.
const heldUp = time.Millisecond

// draw draws from 0 to 1.
func (s *links) draw() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chance.Float64()
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
