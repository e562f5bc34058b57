package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// The operations of workloads in which clients hold something.
var (
	takes  = []string{"acquire", "campaign"}
	gives  = []string{"release", "resign"}
	writes = []string{"write"}
)

// Tenure is the time for which a client held a lock, or led, as far as it knew.
type Tenure struct {
	Lock    string `json:"lock"`
	Process int    `json:"process"`
	Node    string `json:"node"` // the companion that the client is in
	Token   uint64 `json:"token"`
	// Asked is when it called for the lock, and From when it was answered that it has it. It held the lock until Until at
	// the least: until it called to give it up, was told that it has it no more, or, if it was never heard of again, last
	// wrote. Perhaps is until when it may have held it; [history.Never] if nobody knows.
	Asked   time.Duration `json:"asked_ns"`
	From    time.Duration `json:"from_ns"`
	Until   time.Duration `json:"until_ns"`
	Perhaps time.Duration `json:"perhaps_ns"`
	// Ended is how it ended.
	Ended Ending `json:"ended"`
	// Index and Last are the events of the answer that it has the lock, and of what Until is known by.
	Index int `json:"index"`
	Last  int `json:"last"`
}

// Ending is how a tenure ended.
type Ending string

// How tenures end.
const (
	Released   Ending = "released"
	Told       Ending = "told"    // that it holds it no more
	Refused    Ending = "refused" // by the resource, for its token
	NotHeardOf Ending = "unheard" // its client was not heard of again
)

// who names the holder of a tenure.
func (t Tenure) who() string { return fmt.Sprintf("process %d at %s", t.Process, quoted(t.Node)) }

// since says from when, and by which token.
func (t Tenure) since() string {
	return fmt.Sprintf("%s held %s from %s (token %d)", t.who(), quoted(t.Lock), seconds(t.From), t.Token)
}

// end says how it ended.
func (t Tenure) end() string {
	switch t.Ended {
	case Released:
		return "released it at " + seconds(t.Until)
	case Told:
		return "learned only at " + seconds(t.Until) + " that it had lost it"
	case Refused:
		return "wrote at " + seconds(t.Until) + " and was refused"
	}
	return "was last heard of at " + seconds(t.Until)
}

// Overlap is a tenure that was not over, for its holder, when another client had got the same lock. That one is the
// first that had; there may have been more by the time that the holder learned of it.
type Overlap struct {
	Holder int `json:"holder"` // their places in Tenures.All
	Next   int `json:"next"`
}

// GuardedWrite is a write to the resource, in its own order.
type GuardedWrite struct {
	history.Guarded
	At     time.Duration `json:"at_ns"` // it was made known
	Index  int           `json:"index"`
	Tenure int           `json:"tenure"` // its place in Tenures.All
}

// Tenures are all tenures of a history, and the writes that were made under them.
type Tenures struct {
	All    []Tenure       `json:"all"` // by the times of their answers
	Writes []GuardedWrite `json:"writes"`
	// Overlaps are the tenures that overlap later ones for sure, by when that began.
	Overlaps []Overlap `json:"overlaps,omitempty"`
	// Refused is how many writes the resource refused.
	Refused int `json:"refused"`
}

// KindTenures attaches who held what, and what was written meanwhile: a [Tenures].
const KindTenures = "tenures"

// open is a tenure that has not ended yet.
type openTenure struct {
	Tenure
	lost bool
}

// tenuresOf reads the tenures of a history. An error says what in it cannot be.
func tenuresOf(h *history.History) (t Tenures, err error) {
	notes := h.Notes()
	type held struct {
		process int
		lock    string
	}
	open := make(map[held]*openTenure)
	under := make(map[uint64]write) // by value, which is unique
	var done []*openTenure
	for op := range h.Ops() {
		at := held{op.Call.Process, op.Call.Key}
		now := open[at]
		if slices.Contains(writes, op.Call.F) {
			value, err := strconv.ParseUint(string(op.Call.Value), 10, 64)
			if _, twice := under[value]; err != nil || twice {
				return t, fmt.Errorf("event %d: guarded writes have numbers, and each another one", op.Call.Index)
			}
			under[value] = write{op.Call.Process, op.Call.Key, now}
		}
		switch f := op.Call.F; {
		case slices.Contains(takes, f):
			if op.Return.Kind != history.OK {
				continue
			}
			took, err := history.Strictly[struct {
				Token uint64 `json:"token"`
			}](op.Return.Value, "token")
			if err != nil {
				return t, fmt.Errorf("event %d: the answer to %s: %w", op.Return.Index, quoted(f), err)
			}
			if now != nil {
				return t, fmt.Errorf("event %d: process %d has %s twice", op.Return.Index, op.Call.Process, quoted(op.Call.Key))
			}
			open[at] = &openTenure{Tenure: Tenure{
				Lock: op.Call.Key, Process: op.Call.Process, Node: op.Call.Node, Token: took.Token,
				Asked: op.Call.At, From: op.Return.At, Until: op.Return.At, Perhaps: history.Never,
				Ended: NotHeardOf, Index: op.Return.Index, Last: op.Return.Index,
			}}
			done = append(done, open[at])
		case now == nil: // it was refused, or is told so now
		// Only what its client did, or would have done if the resource had let it, says that it believed to hold it then: a
		// call that failed may never have reached it, or may have found a process that was started anew.
		case slices.Contains(gives, f):
			if op.Return.Kind == history.OK {
				now.until(op.Call, Released)
			}
			now.Perhaps = op.Return.At
			delete(open, at)
		case slices.Contains(writes, f) && op.Return.Kind == history.OK:
			now.until(op.Call, NotHeardOf)
		case slices.Contains(writes, f) && op.Return.Kind == history.Fail:
			if op.Return.Err == history.Stale {
				now.until(op.Call, Refused)
			}
			now.Perhaps = op.Return.At
			delete(open, at)
		}
	}
	for _, l := range notes.Lost {
		var o *openTenure // the last of those that it can be of
		for _, one := range done {
			if !one.lost && one.Process == l.What.Process && one.Lock == l.What.Lock && one.Token == l.What.Token &&
				one.Asked <= l.What.At && (o == nil || one.From > o.From) {
				o = one
			}
		}
		if o == nil {
			continue // of one whose answer nobody has waited for
		}
		o.lost = true
		if (o.Ended == Released || o.Ended == Refused) && o.Until < l.What.At {
			continue // it was over before
		}
		o.Until, o.Perhaps = max(o.From, l.What.At), max(o.From, l.What.At)
		o.Ended, o.Last = Told, l.Index
	}
	slices.SortStableFunc(done, func(a, b *openTenure) int { return cmp.Compare(a.Index, b.Index) })
	places := make(map[*openTenure]int)
	for _, o := range done {
		places[o] = len(t.All)
		t.All = append(t.All, o.Tenure)
	}
	t.Overlaps = overlaps(t.All)
	return t, t.read(notes.Guarded, under, places)
}

// write is a call of a guarded write, and the tenure that its process had then; nil if it had none.
type write struct {
	process int
	lock    string
	under   *openTenure
}

// until notes that a tenure lasted until a call at the least.
func (o *openTenure) until(call history.Event, how Ending) {
	o.Until, o.Ended, o.Last = max(o.From, call.At), how, call.Index
}

// read takes the writes that the resource tells of.
func (t *Tenures) read(said []history.Said[history.Guarded], calls map[uint64]write, places map[*openTenure]int) error {
	for _, s := range said {
		c := calls[s.What.Value]
		place, ok := places[c.under]
		if !ok || c.process != s.What.Process || c.lock != s.What.Lock || t.All[place].Token != s.What.Token {
			return fmt.Errorf("event %d: the resource tells of a write of %d by process %d with token %d of %s, which it did "+
				"not call, or not with that", s.Index, s.What.Value, s.What.Process, s.What.Token, quoted(s.What.Lock))
		}
		t.Writes = append(t.Writes, GuardedWrite{s.What, s.At, s.Index, place})
		if !s.What.Accepted {
			t.Refused++
		}
	}
	return nil
}

// overlaps returns the tenures that overlap later ones of the same lock for sure. Tenures are by when they began.
func overlaps(all []Tenure) (found []Overlap) {
	open := make(map[string][]int) // by lock: those that may overlap what comes, and overlap nothing yet
	for i, t := range all {
		still := open[t.Lock][:0]
		for _, j := range open[t.Lock] {
			switch o := all[j]; {
			case o.Until <= t.From: // it was over
			case t.From < t.Until:
				found = append(found, Overlap{j, i})
			default: // nobody knows how long that one was held
				still = append(still, j)
			}
		}
		open[t.Lock] = append(still, i)
	}
	return found
}

// longest returns for how long, at the most, a holder did not know that another client had got the lock.
func (t Tenures) longest() (d time.Duration) {
	for _, o := range t.Overlaps {
		d = max(d, t.All[o.Holder].Until-t.All[o.Next].From)
	}
	return d
}

// competed says why the tenures prove nothing; empty if they do: somebody must have got a lock that it asked for while
// another client held it.
func (t Tenures) competed() string {
	latest := make(map[string]Tenure) // by lock: that which lasted longest so far
	for _, one := range t.All {
		before, ok := latest[one.Lock]
		if ok && before.Process != one.Process && one.Asked < before.Until {
			return ""
		}
		if !ok || one.Until > before.Until {
			latest[one.Lock] = one
		}
	}
	if len(t.All) == 0 {
		return "nobody ever held anything, so that there is nothing to check: use a longer run, or a longer --ttl"
	}
	return "nobody ever got a lock that it had asked for while another client held it, so that nothing was competed " +
		"for: use more clients (--clients), or a longer run"
}

// accepted are the writes to one lock's resource that it accepted, in its order.
func (t Tenures) accepted(lock string) []GuardedWrite {
	return slices.DeleteFunc(slices.Clone(t.Writes), func(w GuardedWrite) bool { return w.Lock != lock || !w.Accepted })
}

// locks returns the names of all locks that were held, sorted.
func (t Tenures) locks() (names []string) {
	for _, one := range t.All {
		names = append(names, one.Lock)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}
