package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Fault is one fault of a run with its beginning and its end.
type Fault struct {
	FaultEvent
	F     string
	Index int // of the event with which it began
	// Began is when the nemesis set out; InForce when the fault was in place; Healing and
	// Healed when its undoing began and ended. A time that never came is [Never].
	Began, InForce, Healing, Healed time.Duration
	// Confirmed says that the fault was seen to act, for a while.
	Confirmed bool
	// Err says why it was not confirmed, or what went wrong while it was undone.
	Err string
	// Took is what it took from the cluster while it was in force.
	Took Takes
}

// leastHeld is for how long, at the least, a fault must be in force to be one.
const leastHeld = time.Millisecond

// fault takes an event of the nemesis. Those of a fault come in one order: it is about to be done, it is in force or
// not, it is about to be undone, it is undone or not.
func (r *noteReader) fault(e Event) error {
	v, err := Strictly[FaultEvent](e.Value, "id")
	if err != nil {
		return fmt.Errorf("%s of the nemesis: %w", quote(e.F), err)
	}
	place, known := r.faults[v.ID]
	if e.F != FHeal && e.Kind == Invoke {
		if known {
			return fmt.Errorf("fault %d begins twice", v.ID)
		}
		if r.Test != nil && r.in() != PhaseLoad {
			return fmt.Errorf("fault %d begins outside of phase %s", v.ID, PhaseLoad)
		}
		if v.Nothing || len(v.Evidence) > 0 {
			return fmt.Errorf("fault %d has evidence before it has begun", v.ID)
		}
		f := Fault{
			FaultEvent: v,
			F:          e.F,
			Index:      e.Index,
			Began:      e.At,
			InForce:    Never,
			Healing:    Never,
			Healed:     Never,
			Err:        e.Err,
		}
		if err := f.take(r.either); err != nil {
			return fmt.Errorf("fault %d: %w", v.ID, err)
		}
		r.faults[v.ID] = len(r.Faults)
		r.Faults = append(r.Faults, f)
		return nil
	}
	if !known {
		return fmt.Errorf("%s of fault %d, which has not begun", quote(e.F), v.ID)
	}
	if r.in() == PhaseEnd {
		return fmt.Errorf("%s of fault %d comes after the end", quote(e.F), v.ID)
	}
	f := &r.Faults[place]
	if e.Err != "" {
		f.Err = e.Err
	}
	switch outcome := e.Kind == OK || e.Kind == Info; {
	case e.F == FHeal && e.Kind == Invoke && f.Healing == Never:
		f.Healing = e.At
	case e.F == FHeal && outcome && f.Healing != Never && f.Healed == Never:
		if e.Kind == OK {
			f.Healed = e.At
		}
	case e.F == f.F && outcome && f.InForce == Never && f.Healing == Never && (e.Kind != OK || !v.Nothing):
		f.InForce, f.Evidence, f.Nothing = e.At, v.Evidence, v.Nothing
		f.Confirmed = e.Kind == OK
		if f.Confirmed && !isEvidence(v.Evidence) {
			f.Confirmed, f.Err = false, "it is said to be in force, without evidence"
		}
	default:
		return fmt.Errorf("%s (%s) of fault %d is not what can follow", quote(e.F), e.Kind, v.ID)
	}
	return nil
}

// take reads what a fault takes from the cluster.
func (f *Fault) take(member func(node string) error) (err error) {
	if len(f.FaultEvent.Fault) == 0 {
		return errors.New("it does not say what is to be done")
	}
	if f.FaultEvent.Fault[0] != '{' {
		return errors.New("what is to be done is no object")
	}
	if f.Takes != nil {
		f.Took = *f.Takes
	} else if f.Took, err = formerly(f.FaultEvent.Fault); err != nil {
		return err
	}
	for _, node := range f.Took.members() {
		if err := member(node); err != nil {
			return err
		}
	}
	return nil
}

// formerly reads what a fault takes that was recorded by a sunder which did not say so: nodes or links, and a share if
// they lose some.
func formerly(fault json.RawMessage) (Takes, error) {
	var what struct {
		Nodes []string `json:"nodes"`
		Share float64  `json:"share"`
		Links []Link   `json:"links"`
	}
	if err := json.Unmarshal(fault, &what); err != nil {
		return Takes{}, err
	}
	switch {
	case what.Share > 0:
		return Takes{Lossy: what.Links}, nil
	case len(what.Links) > 0:
		return Takes{Cut: what.Links}, nil
	}
	return Takes{Down: what.Nodes}, nil
}

// ends returns the nodes that links lead from and to.
func ends(links []Link) (nodes []string) {
	for _, l := range links {
		nodes = append(nodes, l.From, l.To)
	}
	return nodes
}

// isEvidence says whether there is anything in what is to be evidence.
func isEvidence(text json.RawMessage) bool {
	var seen map[string]json.RawMessage
	if json.Unmarshal(text, &seen) != nil {
		return false
	}
	for what, v := range seen {
		if what != "" && string(v) != "null" {
			return true
		}
	}
	return false
}
