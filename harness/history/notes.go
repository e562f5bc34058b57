package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Notes are what a history tells beside its clients' calls. They are read once, here and nowhere else, and strictly: a note
// that cannot be read is a [Problem], since what is passed over may be the very thing that matters.
type Notes struct {
	// Test describes the run; nil if the history does not.
	Test     *Test
	Phases   []Span
	Faults   []Fault
	Claims   []Said[Claim]
	Statuses []Said[Status]
	Hashes   []Said[Hash]
	Exits    []Said[Exit]
	// Machine, Recovery and Last are nil if the run did not tell.
	Machine  *Machine
	Recovery *Recovery
	Last     *Last
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
	// Nodes are those that it took from the rest, by themselves; Cut and Lossy are links that lose everything, and some.
	Nodes      []string
	Cut, Lossy []Link
}

// Link is the way from one node to another.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
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
		r.Problems = append(r.Problems, Problem{0, "the history has notes of a run, and does not begin with a description of it"})
	}
	return r.Notes
}

// leastHeld is for how long, at the least, a fault must be in force to be one.
const leastHeld = time.Millisecond

// in returns the phase that the run is in; empty before the first.
func (r *noteReader) in() Phase {
	if n := len(r.Phases); n > 0 {
		return r.Phases[n-1].Phase
	}
	return ""
}

// member says what is wrong with a name that is to be that of a node of the run, if the run says which those are.
func (r *noteReader) member(node string) error {
	if r.Test != nil && len(r.Test.Nodes) > 0 && !slices.Contains(r.Test.Nodes, node) {
		return fmt.Errorf("%s is no node of the run", quote(node))
	}
	return nil
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
	if err := r.member(node); err != nil {
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
		return fmt.Errorf("the history is of version %d, and only version %d is known: it was written by another sunder", t.Version, formatVersion)
	case len(t.Checkers) == 0:
		return errors.New("the description of the run names no checkers")
	case t.MinRate < 0 || t.RecoverWithin < 0:
		return errors.New("the description of the run has a least rate, or a time to recover, below 0")
	}
	known := make(map[string]bool)
	for _, n := range t.Nodes {
		if n == "" || known[n] {
			return fmt.Errorf("the description of the run names node %s twice, or one without a name", quote(n))
		}
		known[n] = true
	}
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

// fault takes an event of the nemesis. Those of a fault come in one order: it is about to be done, it is in force or not, it is
// about to be undone, it is undone or not.
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
		f := Fault{FaultEvent: v, F: e.F, Index: e.Index, Began: e.At, InForce: Never, Healing: Never, Healed: Never, Err: e.Err}
		if err := f.aim(r.member); err != nil {
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
	case e.F == f.F && outcome && f.InForce == Never && f.Healing == Never && !(e.Kind == OK && v.Nothing):
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

// aim reads what a fault is aimed at.
func (f *Fault) aim(member func(node string) error) error {
	var what struct {
		Nodes []string `json:"nodes"`
		Node  string   `json:"node"`
		Share float64  `json:"share"`
		Links []Link   `json:"links"`
	}
	if len(f.FaultEvent.Fault) == 0 {
		return errors.New("it does not say what is to be done")
	}
	if err := json.Unmarshal(f.FaultEvent.Fault, &what); err != nil {
		return err
	}
	if f.FaultEvent.Fault[0] != '{' {
		return errors.New("what is to be done is no object")
	}
	nodes := what.Nodes
	if what.Node != "" {
		nodes = append(nodes, what.Node)
	}
	for _, node := range slices.Concat(nodes, ends(what.Links)) {
		if err := member(node); err != nil {
			return err
		}
	}
	switch {
	case what.Share > 0:
		f.Lossy = what.Links
	case len(what.Links) > 0:
		f.Cut = what.Links
	default:
		f.Nodes = nodes
	}
	return nil
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

// once reads a note that comes once.
func once[T any](into **T, f string, value json.RawMessage, required ...string) error {
	v, err := Strictly[T](value, required...)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", f, err)
	case *into != nil:
		return fmt.Errorf("%s comes twice", f)
	}
	*into = &v
	return nil
}

// known remembers what texts were read as: nodes say the same things again and again.
type known[T any] struct {
	last  json.RawMessage
	value T
	all   map[string]T
}

// maxKnown bounds how many values are remembered.
const maxKnown = 1 << 12

func (k *known[T]) read(v Value, required ...string) (T, error) {
	text := v.Text()
	if len(text) > 0 && bytes.Equal(text, k.last) {
		return k.value, nil
	}
	value, ok := k.all[string(text)]
	if !ok {
		var err error
		if value, err = Strictly[T](text, required...); err != nil {
			return value, err
		}
		if k.all == nil {
			k.all = make(map[string]T)
		}
		if len(k.all) < maxKnown {
			k.all[string(text)] = value
		}
	}
	k.last, k.value = text, value
	return value, nil
}

// Strictly decodes a JSON object and takes nothing that it does not know: neither an unknown field, nor a known one in other
// letters, nor one that comes twice. The required ones must be there.
func Strictly[T any](text json.RawMessage, required ...string) (v T, err error) {
	if len(text) == 0 {
		return v, errors.New("there is no value")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: %w", clipped(text), err)
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Struct {
		if string(bytes.TrimSpace(text)) == "null" {
			return v, errors.New("null is no value of it")
		}
		return v, fieldsOnce(text, t, required)
	}
	return v, nil
}

// fieldsOnce says whether the fields of an object are those of a type, each once and letter by letter, and the required ones are
// among them.
func fieldsOnce(text json.RawMessage, t reflect.Type, required []string) error {
	known := make(map[string]bool)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if !known[name] {
			return fmt.Errorf("%s: field %s is unknown, or comes twice", clipped(text), quote(name))
		}
		known[name] = false
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	for _, name := range required {
		if known[name] {
			return fmt.Errorf("%s: field %s is missing", clipped(text), quote(name))
		}
	}
	return nil
}

// maxQuoted bounds what is said of a foreign text.
const maxQuoted = 80

func clipped(text json.RawMessage) string {
	if len(text) > maxQuoted {
		return quote(string(text[:maxQuoted]) + "…")
	}
	return quote(string(text))
}

// quote writes a foreign text so that it is taken for nothing else.
func quote(text string) string {
	if len(text) > maxQuoted+len("…") {
		text = text[:maxQuoted] + "…"
	}
	return fmt.Sprintf("%q", text)
}
