package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Notes are what a history tells beside its clients' calls. They are read once, here and nowhere else, and strictly:
// a note that cannot be read is a [Problem], since what is passed over may be the very thing that matters.
type Notes struct {
	// Test describes the run; nil if the history does not.
	Test     *Test
	Phases   []Span
	Faults   []Fault
	Claims   []Said[Claim]
	Statuses []Said[Status]
	Hashes   []Said[Hash]
	Exits    []Said[Exit]
	Told     []Said[Told]
	// Lost are the losses of locks that their holders were told of, and Guarded all writes to guarded resources.
	Lost    []Said[Lost]
	Guarded []Said[Guarded]
	// Memberships are the changes of who is a member; see [Notes.MembersAt].
	Memberships []Said[Members]
	// Machine, Recovery and Last are nil if the run did not tell.
	Machine  *Machine
	Recovery *Recovery
	Last     *Last
	// Findings are the violations that were found while the run was under way.
	Findings []Finding
	Problems []Problem
}

// Said is a note and who it is about.
type Said[T any] struct {
	Index int // of the event
	At    time.Duration
	Node  string
	What  T
}

// Span is the part of a run that a phase took.
type Span struct {
	Phase    Phase
	From, To time.Duration
}

// Problem is a note that cannot be read, or that contradicts those before it.
type Problem struct {
	Index int
	Why   string
}

func (p Problem) String() string { return fmt.Sprintf("event %d: %s", p.Index, p.Why) }

// Err names the first of the problems, and says how many there are; nil if there are none.
func (n *Notes) Err() error {
	switch more := len(n.Problems) - 1; {
	case more < 0:
		return nil
	case more == 0:
		return errors.New(n.Problems[0].String())
	default:
		return fmt.Errorf("%v; and %d more events", n.Problems[0], more)
	}
}

// Phase returns a part of the run, or false if it was not come to.
func (n *Notes) Phase(p Phase) (Span, bool) {
	i := slices.IndexFunc(n.Phases, func(s Span) bool { return s.Phase == p })
	if i < 0 {
		return Span{}, false
	}
	return n.Phases[i], true
}

// MembersAt returns the nodes that were members of the cluster at a moment: at first all nodes of the run.
func (n *Notes) MembersAt(t time.Duration) []string {
	for _, m := range slices.Backward(n.Memberships) {
		if m.At <= t {
			return m.What.Nodes
		}
	}
	if n.Test == nil {
		return nil
	}
	return n.Test.Nodes
}

// ReadOnly reports whether the operations of a name change nothing: as the run says, or, if it does not, those that are
// called "read".
func (n *Notes) ReadOnly(f string) bool {
	if n.Test == nil || len(n.Test.Operations) == 0 {
		return f == "read"
	}
	return slices.Contains(n.Test.Reads, f) || len(n.Test.Reads) == 0 && f == "read"
}

// Notes reads what the history tells beside its clients' calls.
func (h *History) Notes() *Notes {
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.notes == nil || h.notesOf != h.n {
		h.notes, h.notesOf = readNotes(h), h.n
	}
	return h.notes
}

// Test returns the description of the run, or false if the history has none that can be read.
func (h *History) Test() (Test, bool) {
	if t := h.Notes().Test; t != nil {
		return *t, true
	}
	return Test{}, false
}

// noteReader reads notes in their order.
type noteReader struct {
	*Notes
	h        *History
	faults   map[int]int   // by id: index in Faults
	began    map[Phase]int // by phase: the event with which it began
	claims   known[Claim]
	statuses known[Status]
}

// phases are all phases in their order.
var phases = []Phase{PhaseLaunch, PhaseLoad, PhaseHeal, PhaseRecover, PhaseFinal, PhaseEnd}

func readNotes(h *History) *Notes {
	r := noteReader{Notes: &Notes{}, h: h, faults: make(map[int]int), began: make(map[Phase]int)}
	for _, i := range h.others {
		if err := r.read(int(i), h.record(int(i))); err != nil {
			r.Problems = append(r.Problems, Problem{int(i), err.Error()})
		}
	}
	for i := range r.Phases {
		r.Phases[i].To = h.End()
		if i+1 < len(r.Phases) {
			r.Phases[i].To = r.Phases[i+1].From
		}
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		if held := f.Healing - f.InForce; f.Confirmed && held < leastHeld {
			f.Confirmed, f.Err = false, fmt.Sprintf("it was in force for %v only", held)
		}
	}
	if load, ok := r.began[PhaseLoad]; r.Test != nil && h.first > 0 && (!ok || h.first-1 < load) {
		r.Problems = append(r.Problems, Problem{h.first - 1, "a client calls before phase load"})
	}
	if end, ok := r.began[PhaseEnd]; ok && h.last-1 > end {
		r.Problems = append(r.Problems, Problem{h.last - 1, "a client calls, or is answered, after phase end"})
	}
	if len(h.others) > 0 && r.Test == nil && len(r.Problems) == 0 {
		r.Problems = append(
			r.Problems,
			Problem{0, "the history has notes of a run, and does not begin with a description of it"},
		)
	}
	return r.Notes
}

// in returns the phase that the run is in; empty before the first.
func (r *noteReader) in() Phase {
	if n := len(r.Phases); n > 0 {
		return r.Phases[n-1].Phase
	}
	return ""
}

// member says what is wrong with a name that is to be that of a member of the cluster, if the run says which those are.
func (r *noteReader) member(node string) error {
	if r.Test != nil && len(r.Test.Nodes) > 0 && !slices.Contains(r.Test.Nodes, node) {
		return fmt.Errorf("%s is no node of the run", quote(node))
	}
	return nil
}

// companion says what is wrong with a name that is to be that of a companion.
func (r *noteReader) companion(node string) error {
	if r.Test != nil && !slices.Contains(r.Test.Companions, node) {
		return fmt.Errorf("%s is no companion of the cluster", quote(node))
	}
	return nil
}

// either says what is wrong with a name that is to be that of a member or of a companion.
func (r *noteReader) either(node string) error {
	if r.companion(node) == nil {
		return nil
	}
	return r.member(node)
}

// read reads one event that is no client's.
func (r *noteReader) read(i int, rec *record) error {
	f := r.h.names.text(uint32(rec.f))
	if rec.process == Nemesis {
		return r.fault(r.h.Event(i))
	}
	if rec.kind != Note {
		return fmt.Errorf("%s of process %d is a %s, and must be a note", quote(f), rec.process, rec.kind)
	}
	if rec.process == Observer {
		return r.observed(i, rec, f)
	}
	value := r.h.valueOf(rec).Text()
	switch f {
	case FTest:
		return r.test(i, value)
	case FPhase:
		return r.phase(i, rec.at, value)
	case FMachine:
		if err := once(&r.Machine, f, value, "late_p99_ns", "late_max_ns"); err != nil {
			return err
		}
		return r.Machine.validate()
	case FRecovery:
		if r.in() != PhaseRecover {
			return fmt.Errorf("the recovery is told outside of phase %s", PhaseRecover)
		}
		return once(&r.Recovery, f, value, "served")
	case FMembers:
		return r.members(i, rec.at, value)
	case FFinding:
		f, err := Strictly[Finding](value, "checker", "why")
		if err != nil {
			return fmt.Errorf("the finding: %w", err)
		}
		r.Findings = append(r.Findings, f)
		return nil
	case FLast:
		if r.in() != PhaseFinal {
			return fmt.Errorf("the last calls are told outside of phase %s", PhaseFinal)
		}
		return r.last(value)
	}
	return fmt.Errorf("the controller notes nothing by the name of %s", quote(f))
}

func (r *noteReader) observed(i int, rec *record, f string) error {
	node := r.h.names.text(uint32(rec.node))
	value := r.h.valueOf(rec)
	if node == "" {
		return fmt.Errorf("the %s does not say of which node it is", quote(f))
	}
	known := r.member
	switch f {
	case FLost, FGuarded:
		known = r.companion
	case FExit:
		known = r.either
	}
	if err := known(node); err != nil {
		return fmt.Errorf("the %s: %w", quote(f), err)
	}
	switch f {
	case FClaim:
		c, err := r.claims.read(value, "term", "source")
		switch {
		case err != nil:
			return fmt.Errorf("the claim of %s: %w", quote(node), err)
		case c.Term == 0:
			return fmt.Errorf("the claim of %s is to term 0, and no election has a term below 1", quote(node))
		case c.Source != "log" && c.Source != "status":
			return fmt.Errorf("the claim of %s is from %s, and must be from a log or a status", quote(node), quote(c.Source))
		}
		r.Claims = append(r.Claims, Said[Claim]{i, rec.at, node, c})
	case FStatus:
		s, err := r.statuses.read(value, "role", "term")
		if err != nil {
			return fmt.Errorf("the status of %s: %w", quote(node), err)
		}
		r.Statuses = append(r.Statuses, Said[Status]{i, rec.at, node, s})
	case FHash:
		s, err := Strictly[Hash](value.Text(), "revision", "sum")
		switch {
		case err != nil:
			return fmt.Errorf("the hash of %s: %w", quote(node), err)
		case s.Sum == "":
			return fmt.Errorf("the hash of %s has no sum", quote(node))
		}
		r.Hashes = append(r.Hashes, Said[Hash]{i, rec.at, node, s})
	case FTold:
		t, err := Strictly[Told](value.Text(), "what")
		if err != nil {
			return fmt.Errorf("what %s tells: %w", quote(node), err)
		}
		r.Told = append(r.Told, Said[Told]{i, rec.at, node, t})
	case FLost:
		l, err := Strictly[Lost](value.Text(), "process", "lock", "token", "at_ns")
		if err == nil {
			err = l.validate(rec.at)
		}
		if err != nil {
			return fmt.Errorf("the loss at %s: %w", quote(node), err)
		}
		r.Lost = append(r.Lost, Said[Lost]{i, rec.at, node, l})
	case FGuarded:
		g, err := Strictly[Guarded](value.Text(), "seq", "process", "lock", "token", "highest", "value", "accepted")
		last := uint64(0)
		if n := len(r.Guarded); n > 0 {
			last = r.Guarded[n-1].What.Seq
		}
		if err == nil {
			err = g.validate(last)
		}
		if err != nil {
			return fmt.Errorf("the write to %s: %w", quote(node), err)
		}
		r.Guarded = append(r.Guarded, Said[Guarded]{i, rec.at, node, g})
	case FExit:
		var e Exit
		if !value.Empty() {
			var err error
			if e, err = Strictly[Exit](value.Text()); err != nil {
				return fmt.Errorf("the exit of %s: %w", quote(node), err)
			}
		}
		r.Exits = append(r.Exits, Said[Exit]{i, rec.at, node, e})
	default:
		return fmt.Errorf("the observer notes nothing by the name of %s", quote(f))
	}
	return nil
}

// formatVersion is that of histories as they are described here.
const formatVersion = 1

func (r *noteReader) test(i int, value json.RawMessage) error {
	t, err := Strictly[Test](value)
	switch {
	case i != 0:
		return errors.New("the description of the run must be the first event, once")
	case err != nil:
		return fmt.Errorf("the description of the run: %w", err)
	}
	r.Test = &t // it says what is to be shown, whatever it is worth
	switch {
	case t.Version != formatVersion:
		return fmt.Errorf("the history is of version %d, and only version %d is known: it was written by another sunder",
			t.Version, formatVersion)
	case len(t.Checkers) == 0:
		return errors.New("the description of the run names no checkers")
	case t.MinRate < 0 || t.RecoverWithin < 0:
		return errors.New("the description of the run has a least rate, or a time to recover, below 0")
	}
	known := make(map[string]bool)
	for _, n := range slices.Concat(t.Nodes, t.Companions) {
		if n == "" || known[n] {
			return fmt.Errorf("the description of the run names node %s twice, or one without a name", quote(n))
		}
		known[n] = true
	}
	return nil
}

// members takes a change of who is a member.
func (r *noteReader) members(i int, at time.Duration, value json.RawMessage) error {
	m, err := Strictly[Members](value, "nodes")
	switch {
	case err != nil:
		return fmt.Errorf("the members: %w", err)
	case len(m.Nodes) == 0:
		return errors.New("the cluster has no members")
	}
	for k, node := range m.Nodes {
		if err := r.member(node); err != nil {
			return fmt.Errorf("the members: %w", err)
		}
		if slices.Contains(m.Nodes[:k], node) {
			return fmt.Errorf("the members: %s is named twice", quote(node))
		}
	}
	r.Memberships = append(r.Memberships, Said[Members]{i, at, "", m})
	return nil
}

// last takes the calls that are to be made at the end.
func (r *noteReader) last(value json.RawMessage) error {
	var raw struct {
		Calls []json.RawMessage `json:"calls"`
	}
	if err := once(&r.Last, FLast, value, "calls"); err != nil {
		return err
	}
	if err := json.Unmarshal(value, &raw); err != nil {
		return err
	}
	for _, c := range raw.Calls {
		if _, err := Strictly[LastCall](c, "f", "key"); err != nil {
			return fmt.Errorf("a last call: %w", err)
		}
	}
	return nil
}

// validate says what a machine cannot be.
func (m *Machine) validate() error {
	for _, share := range []float64{m.Idle, m.Ours, m.Others} {
		if share < 0 || share > 1 {
			return fmt.Errorf("a machine cannot spend %v of its time", share)
		}
	}
	if m.LateP99 < 0 || m.LateMax < m.LateP99 {
		return fmt.Errorf("a controller cannot be %v and %v late", m.LateP99, m.LateMax)
	}
	return nil
}

func (r *noteReader) phase(i int, at time.Duration, value json.RawMessage) error {
	p, err := Strictly[Phase](value)
	if err != nil {
		return fmt.Errorf("the phase: %w", err)
	}
	place := slices.Index(phases, p)
	if place < 0 {
		return fmt.Errorf("there is no phase %s", quote(string(p)))
	}
	if n := len(r.Phases); n > 0 && slices.Index(phases, r.Phases[n-1].Phase) >= place {
		return fmt.Errorf("phase %s comes after phase %s", p, r.Phases[n-1].Phase)
	}
	r.Phases = append(r.Phases, Span{Phase: p, From: at})
	r.began[p] = i
	return nil
}
