package checkers

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Live judges a history as it grows: whoever waits for a run hears of a violation while the run is under way. It uses
// the checkers that judge a whole history, on the part that there is.
//
// That is sound for what [Entry].Live marks. Linearizability is closed under prefixes and local (Herlihy and Wing 1990,
// section 3): what no order explains of one key until now, no order explains of the whole. Claims to a term and hashes
// at an index contradict each other whatever else comes. Who was seen to hold a lock at a moment held it then, and what
// a resource accepted it has accepted. What Live does not find, it has not ruled out: the verdict is that of the whole
// history.
type Live struct {
	checkers []liveChecker
	findings chan history.Finding
	quit     chan struct{}
	stopped  sync.WaitGroup

	mu    sync.Mutex
	queue []history.Event

	// Of the goroutine.
	test    *history.Event // the description of the run
	notes   liveSoFar
	whole   *liveSoFar // nil if nobody asks for it
	keys    map[string]*liveKey
	retired map[string]bool
	open    map[int]string // by process: the key of its open call
	now     time.Duration
}

// liveSoFar is a part of the history that is judged from its beginning each time.
type liveSoFar struct {
	history.History
	fresh bool          // something has come that was not judged
	idle  time.Duration // until when a pass is not worth its time
}

// due returns the part if it is to be judged now.
func (s *liveSoFar) due(now time.Duration) *history.History {
	if s == nil || !s.fresh || now < s.idle {
		return nil
	}
	s.fresh = false
	return &s.History
}

// judged notes how long it took: it is to take at most a twentieth of the time.
func (s *liveSoFar) judged(now, took time.Duration) { s.idle = now + 20*took }

type liveChecker struct {
	name    string
	checker Checker
	entry   Entry
	found   bool
}

// liveKey is what clients have done to a key so far.
type liveKey struct {
	events []history.Event
	open   int // calls
	judged int // events that were judged
	last   time.Duration
}

const (
	// liveInterval is how often the history is looked at.
	liveInterval = 100 * time.Millisecond
	// liveTime and liveMemory bound a pass: what takes longer is left to the end.
	liveTime   = 2 * time.Second
	liveMemory = 256 << 20
	// liveKeyEvents is how many events of one key are kept, and of the whole; what has more is left to the end.
	liveKeyEvents = 1 << 20
	// retireAfter is for how long nobody may call a key before it is forgotten.
	retireAfter = 10 * time.Second
)

// Watch returns a judge of a history that grows, by those of the named checkers that can tell before its end. It is to
// be stopped.
func (all Registry) Watch(names []string, o Options) *Live {
	o = o.orDefaults()
	o.Time, o.Memory, o.Progress = min(o.Time, liveTime), min(o.Memory, liveMemory), nil
	l := &Live{
		findings: make(chan history.Finding, len(names)), quit: make(chan struct{}),
		keys: make(map[string]*liveKey), retired: make(map[string]bool), open: make(map[int]string),
	}
	for _, name := range names {
		if entry, model, err := all.Find(name); err == nil && entry.Live != NotLive {
			l.checkers = append(l.checkers, liveChecker{name: name, checker: entry.New(o, model), entry: entry})
			if entry.Live == LiveWhole && l.whole == nil {
				l.whole = &liveSoFar{}
			}
		}
	}
	l.stopped.Go(l.work)
	return l
}

// See takes an event in. It does not wait for anything.
func (l *Live) See(e history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, e)
}

// Findings are the violations that are found, the first of each checker. The channel is closed once Live is stopped.
func (l *Live) Findings() <-chan history.Finding { return l.findings }

// Stop ends the judging.
func (l *Live) Stop() {
	close(l.quit)
	l.stopped.Wait()
}

func (l *Live) work() {
	defer close(l.findings)
	tick := time.NewTicker(liveInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
			l.pass()
		}
	}
}

// pass takes in what has come, and judges what has grown enough to be worth it.
func (l *Live) pass() {
	l.mu.Lock()
	events := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, e := range events {
		l.take(e)
	}
	calls, judged := l.grown()
	parts := map[LivePart]*history.History{
		LiveCalls: calls, LiveNotes: l.notes.due(l.now), LiveWhole: l.whole.due(l.now),
	}
	took := make(map[LivePart]time.Duration)
	for i := range l.checkers {
		c := &l.checkers[i]
		if c.found {
			continue
		}
		h := parts[c.entry.Live]
		if h == nil {
			continue
		}
		r := guard(context.Background(), c.name, c.checker, h)
		took[c.entry.Live] += r.Took
		if c.found = r.Verdict == Invalid; c.found {
			l.findings <- history.Finding{Checker: c.name, Why: r.Why, At: r.Complete(h)}
		}
	}
	if parts[LiveNotes] != nil {
		l.notes.judged(l.now, took[LiveNotes])
	}
	if parts[LiveWhole] != nil {
		l.whole.judged(l.now, took[LiveWhole])
	}
	for _, k := range judged {
		k.judged = len(k.events)
	}
	for name, k := range l.keys {
		if k.open == 0 && k.judged == len(k.events) && l.now-k.last > retireAfter || len(k.events) > liveKeyEvents {
			l.retired[name] = true
			delete(l.keys, name)
		}
	}
}

// take sorts an event.
func (l *Live) take(e history.Event) {
	l.now = e.At
	switch {
	case e.Process == history.Controller && e.F == history.FTest:
		l.test = &e
	case e.Process == history.Observer:
		l.notes.fresh = true
	}
	if l.whole != nil {
		_ = l.whole.Append(e) // what cannot be read is found at the end
		l.whole.fresh = true
		if l.whole.Len() > liveKeyEvents {
			l.whole = nil
		}
	}
	if e.Process < 0 {
		_ = l.notes.Append(e) // what cannot be read is found at the end
		return
	}
	name := e.Key
	if e.Kind == history.Invoke {
		l.open[e.Process] = name
	} else if name == "" {
		name = l.open[e.Process]
	}
	if l.retired[name] {
		return
	}
	k := l.keys[name]
	if k == nil {
		k = &liveKey{}
		l.keys[name] = k
	}
	k.events, k.last = append(k.events, e), e.At
	if e.Kind == history.Invoke {
		k.open++
	} else {
		k.open--
		delete(l.open, e.Process)
	}
}

// grown makes a history of the keys that have grown by a quarter since they were judged, or are at rest; nil if there
// are none. Keys that are called all the time are thus judged a few times for each tenfold growth.
func (l *Live) grown() (h *history.History, keys []*liveKey) {
	var events []history.Event
	for _, k := range l.keys {
		fresh := len(k.events) - k.judged
		if fresh > 0 && (fresh >= k.judged/4 || l.now-k.last > 2*liveInterval) {
			keys = append(keys, k)
			events = append(events, k.events...)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	slices.SortFunc(events, func(a, b history.Event) int { return a.Index - b.Index })
	h = &history.History{}
	if l.test != nil {
		events = append([]history.Event{*l.test}, events...)
	}
	for _, e := range events {
		if h.Append(e) != nil {
			return nil, keys // found at the end, and said
		}
	}
	return h, keys
}

// Complete returns when, in a run, the evidence of a violation was complete: at the impossible answer, or at the last
// of the events that it rests on. It is [history.Never] if it rests on none, such as that nothing happened.
func (r Result) Complete(h *history.History) time.Duration {
	at := history.Never
	for _, a := range r.Attach {
		var line Timeline
		if a.Kind != KindTimeline || json.Unmarshal(a.Data, &line) != nil {
			continue
		}
		for _, o := range line.Ops {
			if o.Culprit {
				at = min(at, o.Return)
			}
		}
	}
	if at != history.Never || len(r.Ops) == 0 {
		return at
	}
	last := time.Duration(0)
	for _, i := range r.Ops {
		last = max(last, h.Event(i).At)
	}
	return last
}
