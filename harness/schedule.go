package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// ScheduleVersion is that of schedules as they are described here.
const ScheduleVersion = 1

// Schedule is the faults of a run with their times, so that another run does the same to its nodes.
type Schedule struct {
	Version int         `json:"version"`
	Nodes   []string    `json:"nodes,omitempty"`
	Faults  []Scheduled `json:"faults"`
}

// Scheduled is one fault of a schedule.
type Scheduled struct {
	Lane string `json:"lane,omitempty"`
	// At is when the fault is begun, after the begin of the load; if it waits for something, when it begins to wait.
	At   Time     `json:"at"`
	When *Trigger `json:"when,omitempty"`
	// For is how long it is held.
	For Time `json:"for"`
	// Fault is what is done.
	Fault *Fault `json:"fault,omitempty"`
	// Pick picks the fault when it is time, if there is none yet.
	Pick *Lane `json:"-"`
}

// Time is a time that is written as people do: "2.5s".
type Time time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (t Time) MarshalText() ([]byte, error) { return []byte(time.Duration(t).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Time) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*t = Time(d)
	return err
}

// ScheduleOf returns the schedule of the faults of a recorded run. Faults that are known to have done nothing are left
// out, and one that the run did not live to heal is held to its end.
func ScheduleOf(h *history.History) (*Schedule, error) {
	notes := h.Notes()
	if err := notes.Err(); err != nil {
		return nil, fmt.Errorf("the history cannot be read: %w", err)
	}
	load, ok := notes.Phase(history.PhaseLoad)
	if !ok || notes.Test == nil {
		return nil, errors.New("the history is not that of a run under load")
	}
	s := &Schedule{Version: ScheduleVersion, Nodes: notes.Test.Nodes, Faults: []Scheduled{}}
	for _, f := range notes.Faults {
		if f.Nothing {
			continue
		}
		var what Fault
		if json.Unmarshal(f.FaultEvent.Fault, &what) == nil && f.Takes != nil && len(what.Deeds) == 0 {
			continue // it was planned, and never picked
		}
		if err := json.Unmarshal(f.FaultEvent.Fault, &what); err != nil || len(what.Deeds) == 0 {
			return nil, fmt.Errorf("fault %d (%s) does not tell its deeds: it was recorded by an earlier sunder", f.ID, f.F)
		}
		begun := min(f.InForce, h.End())
		s.Faults = append(s.Faults, Scheduled{
			Lane: f.Lane, At: Time(f.Began - load.From), For: Time(max(min(f.Healing, h.End())-begun, 0)), Fault: &what,
		})
	}
	return s, nil
}

// Check says what is wrong with a schedule for such a cluster, with the given deeds, where faults may begin until the
// load has lasted for some time. It names the fault.
func (s *Schedule) Check(deeds Deeds, l Layout, until time.Duration) error {
	if s.Version != ScheduleVersion {
		return fmt.Errorf("the schedule is of version %d, and only version %d is known", s.Version, ScheduleVersion)
	}
	if len(s.Faults) == 0 {
		return errors.New("the schedule has no faults")
	}
	if s.Nodes != nil && !slices.Equal(s.Nodes, l.Nodes) {
		return fmt.Errorf("the schedule is of a cluster of %d nodes, %v, and this one has %v: use --nodes %d",
			len(s.Nodes), s.Nodes, l.Nodes, len(s.Nodes))
	}
	var errs []error
	for i, f := range s.Faults {
		if err := f.check(deeds, l, until); err != nil {
			errs = append(errs, fmt.Errorf("fault %d of the schedule: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (f Scheduled) check(deeds Deeds, l Layout, until time.Duration) error {
	switch {
	case f.Fault == nil && f.Pick == nil:
		return errors.New("it does not say what is to be done")
	case f.At < 0 || f.For <= 0:
		return fmt.Errorf("it begins at %v and is held for %v: not below 0s, and above 0s",
			time.Duration(f.At), time.Duration(f.For))
	case time.Duration(f.At) >= until:
		return fmt.Errorf("it begins at %v, and faults end %v after the load has begun: use a longer --time-limit",
			time.Duration(f.At), until)
	case time.Duration(f.For) > until+longestOver:
		return fmt.Errorf("it is held for %v, and faults end %v after the load has begun: use a longer --time-limit",
			time.Duration(f.For), until)
	case f.Fault != nil:
		return deeds.Check(*f.Fault, slices.Concat(l.Nodes, l.Companions))
	case !CanAct(f.Pick.Nemesis, l):
		return fmt.Errorf("%s can do nothing to %v", f.Pick.Name, l.Nodes)
	}
	return nil
}

// longestOver is for how much longer than faults go on one of a schedule may be held.
const longestOver = 5 * time.Second

// Needs returns what a fault of a schedule needs: its deeds, or those of whoever picks it, and to be aimed.
func (f Scheduled) Needs(deeds Deeds) []Capability {
	switch {
	case f.Fault == nil && f.Pick == nil:
		return nil
	case f.Fault == nil:
		return f.Pick.Needs()
	}
	return deeds.Needs(*f.Fault)
}

// Name is what a fault of a schedule is called.
func (f Scheduled) Name() string {
	switch {
	case f.Fault == nil && f.Pick == nil:
		return ""
	case f.Fault == nil:
		return f.Pick.Name
	}
	return f.Fault.Name()
}

// Write leaves the schedule in a file, a fault a line.
func (s *Schedule) Write(path string) error {
	head, err := json.Marshal(s.Nodes)
	if err != nil {
		return err
	}
	var faults []string
	for _, f := range s.Faults {
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		faults = append(faults, "\n  "+string(text))
	}
	text := fmt.Sprintf(
		"{\n \"version\": %d,\n \"nodes\": %s,\n \"faults\": [%s\n ]\n}\n",
		s.Version,
		head,
		strings.Join(faults, ","),
	)
	return os.WriteFile(path, []byte(text), 0o644)
}
