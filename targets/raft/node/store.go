package node

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// operation is what a command does to a key.
type operation string

const (
	opPut    operation = "put"
	opCAS    operation = "cas"
	opDelete operation = "delete"
)

// command is the content of a log entry: one change, and who asked for it. Session and Serial
// make it safe to propose it twice (§8; thesis §6.3).
type command struct {
	Op      operation `json:"op"`
	Key     string    `json:"key"`
	Value   string    `json:"value,omitempty"`
	Old     string    `json:"old,omitempty"` // cas: the value that must be there
	Session uint64    `json:"session"`
	Serial  uint64    `json:"serial"`
}

// outcome is what a command did.
type outcome struct {
	// Done is false if a cas found another value, or a delete none.
	Done bool `json:"done"`
	// Value is the value that was there before, if there was one.
	Value *string `json:"value,omitempty"`
}

// session remembers the last command of a client, so that its repetition is answered, not applied.
type session struct {
	Serial  uint64  `json:"serial"`
	Index   uint64  `json:"index"` // at which it was applied
	Outcome outcome `json:"outcome"`

	heard time.Time // for a planted bug: by this node's own clock
}

// sessionLife is after how many log entries an unused session is forgotten. A repetition comes
// within a request's timeout, which no cluster can fill with that many entries.
const sessionLife = 1_000_000

// How long sessions live with planted bugs.
const (
	sessionEarly = 64 // log entries
	sessionClock = 250 * time.Millisecond
)

// store is the replicated state machine: a map of strings. It is deterministic: the same commands
// in the same order give the same state and hash on every node.
type store struct {
	Values   map[string]string   `json:"values"`
	Sessions map[uint64]*session `json:"sessions"`
	Applied  uint64              `json:"applied"`
	// Hash is the exclusive or of the hashes of all pairs: independent of order, and changed
	// by a change of one pair in constant time.
	Hash uint64 `json:"hash"`

	bugs core.Bugs
}

func newStore() *store {
	return &store{Values: map[string]string{}, Sessions: map[uint64]*session{}}
}

// get returns the value of a key, or nil.
func (s *store) get(key string) *string {
	if v, ok := s.Values[key]; ok {
		return &v
	}
	return nil
}

// apply applies the command at a log index and returns what it did.
func (s *store) apply(index uint64, c command, unchecked bool) outcome {
	s.Applied = index
	last := s.Sessions[c.Session]
	if last != nil && (s.bugs[SessionsExpireEarly] && last.Index+sessionEarly < index ||
		s.bugs[SessionsExpireByClock] && time.Since(last.heard) > sessionClock) {
		last = nil
	}
	if last != nil && c.Serial <= last.Serial && !s.bugs[ApplyTwice] {
		return last.Outcome
	}
	out := s.change(c, unchecked)
	now := &session{Serial: c.Serial, Index: index, Outcome: out}
	if s.bugs[SessionsExpireByClock] {
		now.heard = time.Now()
	}
	s.Sessions[c.Session] = now
	if index%1024 == 0 {
		s.forgetSessions(index)
	}
	return out
}

func (s *store) change(c command, unchecked bool) outcome {
	before := s.get(c.Key)
	out := outcome{Done: true, Value: before}
	switch c.Op {
	case opPut:
		s.set(c.Key, c.Value)
	case opCAS:
		if out.Done = unchecked || (before != nil && *before == c.Old); out.Done {
			s.set(c.Key, c.Value)
		}
	case opDelete:
		if out.Done = before != nil; out.Done {
			s.Hash ^= pairHash(c.Key, *before)
			delete(s.Values, c.Key)
		}
	}
	return out
}

func (s *store) set(key, value string) {
	if before, ok := s.Values[key]; ok {
		s.Hash ^= pairHash(key, before)
	}
	s.Hash ^= pairHash(key, value)
	s.Values[key] = value
}

func (s *store) forgetSessions(index uint64) {
	for id, last := range s.Sessions {
		if last.Index+sessionLife < index {
			delete(s.Sessions, id)
		}
	}
}

// pairHash separates key and value by the key's length, so that no two pairs look the same.
func pairHash(key, value string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strconv.Itoa(len(key)) + ":" + key + value))
	return h.Sum64()
}

func (s *store) snapshot() ([]byte, error) {
	whole := *s
	if s.bugs[SnapshotLosesSessions] {
		whole.Sessions = map[uint64]*session{}
	}
	return json.Marshal(&whole)
}

// restore replaces the state by that of a snapshot; empty data is the empty state.
func (s *store) restore(data []byte) error {
	next := newStore()
	next.bugs = s.bugs
	if len(data) > 0 {
		if err := json.Unmarshal(data, next); err != nil {
			return fmt.Errorf("restore snapshot: %w", err)
		}
	}
	*s = *next
	return nil
}
