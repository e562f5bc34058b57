package harness

import (
	"errors"
	"fmt"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Test is one run that is to be made: target, fleet, workload, nemesis and seed.
type Test struct {
	// About describes the test in the history. Its nodes, clients, seed and format version are
	// set from the fields here.
	About history.Test

	Target   Target
	Fleet    Fleet
	Workload Workload
	Lanes    []Lane // of the nemesis; none means no faults
	// Schedule are faults at times that are fixed beforehand, beside those of the lanes; nil is none. Deeds are the kinds
	// of deeds that it may name.
	Schedule *Schedule
	Deeds    Deeds

	// Hands let somebody ask for faults while the run is under way; nil lets nobody.
	Hands *Hands

	// OtherVersions are those that nodes can be restarted as, beside the one that is launched.
	OtherVersions []string

	// Sites say which nodes are near each other; none is one site.
	Sites Sites

	Nodes   int
	Clients int
	// Rate is how many calls a second all clients make together, at most; 0 is no limit.
	Rate float64
	// Tide says how the load changes in the course of a run; nil leaves it as it is: all clients, and Rate.
	Tide Tide
	// Roam lets clients behave as clients do: most stay with one node, some follow the leader, and some go from node to
	// node. Otherwise each stays with one.
	Roam bool
	// MinRate is how many calls a second must succeed, while a quorum can be reached, for a pass to mean something; 0
	// leaves it to the checkers.
	MinRate float64
	// TimeLimit is how long clients call. Faults end a little earlier, so that there is load
	// on the healed cluster too.
	TimeLimit time.Duration
	// OpTimeout is after how long a client gives a call up.
	OpTimeout time.Duration
	// LaunchTimeout and RecoverTimeout are how long the cluster may take to serve, at first
	// and after the last heal.
	LaunchTimeout, RecoverTimeout time.Duration
	Seed                          uint64
	// Dir is the run directory. It exists by the time of [Run], as does the fleet.
	Dir string
	// Progress is told a few times a second how the run is going; nil is nobody.
	Progress func(Progress)
	// Judge looks at the history while it grows; nil is nobody. FailFast ends the load at its first finding: the cluster
	// is healed, read, and judged as always.
	Judge    Judge
	FailFast bool
}

// MaxClients is how many clients a test can have. Workloads rely on it to make values unique.
const MaxClients = 10_000

// Progress is how a run is going.
type Progress struct {
	Phase          history.Phase
	Elapsed        time.Duration
	OK, Fail, Info int64
	Faults         []string // in force, in words
	Leader         string   // of the highest term seen
	Term           uint64
	// Finding is the first violation that was found while the run is under way; nil if there is none.
	Finding *history.Finding
}

// Validate reports everything that is wrong with the test, but for fleet and directory, which may come later.
func (t *Test) Validate() error {
	var errs []error
	demand := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	demand(t.Target != nil && t.Workload != nil, "a test needs a target and a workload")
	demand(t.Nodes >= 1, "%d nodes: at least 1", t.Nodes)
	demand(t.Clients >= 1 && t.Clients <= MaxClients, "%d clients: from 1 to %d", t.Clients, MaxClients)
	demand(t.Rate >= 0, "a rate of %v calls a second: not below 0", t.Rate)
	demand(t.MinRate >= 0, "a least rate of %v calls a second: not below 0", t.MinRate)
	demand(t.TimeLimit > 0, "a time limit of %v: above 0", t.TimeLimit)
	demand(t.OpTimeout > 0, "an operation timeout of %v: above 0", t.OpTimeout)
	demand(t.LaunchTimeout > 0 && t.RecoverTimeout > 0, "timeouts for launch and recovery must be above 0")
	if t.Target != nil && t.Workload != nil {
		errs = append(errs, t.fit())
		if s, ok := t.Target.(Sized); ok && t.Nodes >= 1 {
			errs = append(errs, s.Fits(t.Nodes))
		}
	}
	errs = append(errs, t.Sites.validate(t.Nodes, t.Target))
	if t.Schedule != nil {
		if err := t.Schedule.Check(t.Deeds, t.Layout(), t.TimeLimit-t.calm()); err != nil {
			errs = append(errs, err)
		}
	}
	for _, l := range t.Lanes {
		if l.Direct != nil {
			continue
		}
		demand(l.Nemesis != nil, "nemesis %q is missing", l.Name)
		demand(l.Hold > 0, "nemesis %s: a fault that is held for %v: above 0", l.Name, l.Hold)
		demand(l.Rest >= 0, "nemesis %s: a rest of %v: not below 0", l.Name, l.Rest)
	}
	return errors.Join(errs...)
}

// Layout returns who there is in the test.
func (t *Test) Layout() Layout {
	l := Layout{Nodes: NodeNames(t.Nodes), Sites: t.Sites}
	if t.Target != nil {
		l.Companions = clientNames(t.companions())
	}
	return l
}

// fit says what is needed and cannot be done. What a fleet must do is known once there is one.
func (t *Test) fit() error {
	can := t.Target.Can()
	errs := []error{Fit("the workload", t.Workload.Needs(), "the target", ClientsCan(t.Target))}
	for _, l := range t.Lanes {
		errs = append(errs,
			Fit("nemesis "+l.Name, l.Aiming, "the target", can),
			FitSpared("nemesis "+l.Name, l.Needs(), "the target", t.Target))
	}
	var scheduled []Scheduled
	if t.Schedule != nil {
		scheduled = t.Schedule.Faults
	}
	for _, f := range scheduled {
		if f.Pick != nil {
			errs = append(errs, Fit("fault "+f.Name(), f.Pick.Aiming, "the target", can))
		}
		errs = append(errs, FitSpared("fault "+f.Name(), f.Needs(t.Deeds), "the target", t.Target))
	}
	if t.Fleet == nil {
		return errors.Join(errs...)
	}
	can = t.Fleet.Can()
	if n, ok := t.Target.(Needer); ok {
		errs = append(errs, Fit("the target", n.Needs(), "the fleet", can))
	}
	for _, l := range t.Lanes {
		errs = append(errs, Fit("nemesis "+l.Name, Missing(l.Needs(), t.Target.Can()), "the fleet", can))
	}
	for _, f := range scheduled {
		errs = append(errs, Fit("fault "+f.Name(), Missing(f.Needs(t.Deeds), t.Target.Can()), "the fleet", can))
	}
	return errors.Join(errs...)
}

// calm is how long before the time limit the faults end.
func (t *Test) calm() time.Duration { return min(2*time.Second, t.TimeLimit/8) }
