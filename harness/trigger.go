package harness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Event is something that happens in a run and that a fault may wait for.
type Event string

// The events.
const (
	// LeaderElected: a node claims a term that is higher than all before.
	LeaderElected Event = "leader-elected"
	// FollowerBehind: a node that answers has applied so many entries less than another one. It is a state: it may be so
	// already.
	FollowerBehind Event = "behind"
	// WriteAcknowledged: a call that changes something has succeeded.
	WriteAcknowledged Event = "write-acknowledged"
	// RoleChanged: a node has taken on another role or term.
	RoleChanged Event = "role-changed"
	// FaultInForce: a fault of the given family, name or lane is in force, or was already.
	FaultInForce Event = "fault"
)

// Trigger is what a fault waits for: data, with a text of the form event[:argument][/delay], such as
// "behind:5000" or "write-acknowledged/300ms".
type Trigger struct {
	Event   Event
	Entries uint64        // of [FollowerBehind]
	Fault   string        // of [FaultInForce]
	After   time.Duration // how much later than the event
}

// ParseTrigger reads the text of a trigger.
func ParseTrigger(text string) (t Trigger, err error) {
	event, after, delayed := strings.Cut(text, "/")
	event, argument, _ := strings.Cut(event, ":")
	t.Event = Event(event)
	if delayed {
		if t.After, err = time.ParseDuration(after); err != nil || t.After < 0 {
			return t, fmt.Errorf("trigger %q: %s is no time to wait", text, after)
		}
	}
	switch t.Event {
	case LeaderElected, WriteAcknowledged, RoleChanged:
		if argument != "" {
			return t, fmt.Errorf("trigger %q: %s takes no argument", text, event)
		}
	case FollowerBehind:
		if t.Entries, err = strconv.ParseUint(argument, 10, 63); err != nil || t.Entries == 0 {
			return t, fmt.Errorf("trigger %q: behind needs a number of entries, such as behind:5000", text)
		}
	case FaultInForce:
		if t.Fault = argument; argument == "" {
			return t, fmt.Errorf("trigger %q: fault needs the name of one, such as fault:kill", text)
		}
	default:
		return t, fmt.Errorf("trigger %q: there is no such event; there are %s, %s, %s:ENTRIES, %s, %s:NAME", text,
			LeaderElected, RoleChanged, FollowerBehind, WriteAcknowledged, FaultInForce)
	}
	return t, nil
}

// String returns the text of a trigger.
func (t Trigger) String() string {
	text := string(t.Event)
	switch t.Event {
	case FollowerBehind:
		text += ":" + strconv.FormatUint(t.Entries, 10)
	case FaultInForce:
		text += ":" + t.Fault
	}
	if t.After > 0 {
		text += "/" + t.After.String()
	}
	return text
}

// MarshalText implements [encoding.TextMarshaler].
func (t Trigger) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Trigger) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTrigger(string(text))
	return err
}

// happened is what has happened in a run so far, as far as triggers look at it.
type happened struct {
	elections, writes, roles uint64
	applied                  map[string]uint64 // by node
	faults                   map[string]int    // in force, by family, name and lane
}

// fires reports whether a trigger that began to wait at one state of things has been met by another one.
func (t Trigger) fires(then, now happened) bool {
	switch t.Event {
	case LeaderElected:
		return now.elections > then.elections
	case WriteAcknowledged:
		return now.writes > then.writes
	case RoleChanged:
		return now.roles > then.roles
	case FaultInForce:
		return now.faults[t.Fault] > 0
	case FollowerBehind:
		most, least, first := uint64(0), uint64(0), true
		for _, n := range now.applied {
			if most = max(most, n); first || n < least {
				least, first = n, false
			}
		}
		return most-least >= t.Entries
	}
	return false
}

// events is where a run tells what happens in it, for triggers to hear.
type events struct {
	mu      sync.Mutex
	now     happened
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// tell changes what has happened.
func (e *events) tell(change func(*happened)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now.applied == nil {
		e.now.applied, e.now.faults = map[string]uint64{}, map[string]int{}
	}
	change(&e.now)
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

func (e *events) elected() { e.tell(func(h *happened) { h.elections++ }) }

func (e *events) changedRole() { e.tell(func(h *happened) { h.roles++ }) }

func (e *events) wrote() { e.tell(func(h *happened) { h.writes++ }) }

func (e *events) status(node string, s history.Status) {
	e.tell(func(h *happened) { h.applied[node] = s.Applied })
}

// silent tells that a node does not answer: how far it is, is not known.
func (e *events) silent(node string) { e.tell(func(h *happened) { delete(h.applied, node) }) }

// fault tells that a fault is in force (+1), or no more (-1).
func (e *events) fault(lane string, f Fault, n int) {
	e.tell(func(h *happened) {
		names := map[string]bool{lane: true, f.Family: true, f.Name(): true}
		for name := range names {
			h.faults[name] += n
		}
	})
}

// until returns what has happened until now, for [events.await].
func (e *events) until() happened {
	e.mu.Lock()
	defer e.mu.Unlock()
	return happened{elections: e.now.elections, writes: e.now.writes, roles: e.now.roles}
}

// await waits until a trigger fires for what has happened since some moment, and as long again as it says. It reports
// false if ctx ended first.
func (e *events) await(ctx context.Context, t Trigger, then happened) bool {
	return e.awaitAny(ctx, []Trigger{t}, then)
}

// awaitAny is await for whichever of some triggers fires first.
func (e *events) awaitAny(ctx context.Context, triggers []Trigger, then happened) bool {
	fired := -1
	fires := func() bool {
		fired = slices.IndexFunc(triggers, func(t Trigger) bool { return t.fires(then, e.now) })
		return fired >= 0
	}
	e.mu.Lock()
	for !fires() {
		if e.changed == nil {
			e.changed = make(chan struct{})
		}
		changed := e.changed
		e.mu.Unlock()
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
		e.mu.Lock()
	}
	e.mu.Unlock()
	return sleep(ctx, triggers[fired].After)
}
