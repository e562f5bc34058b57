package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// pollInterval is how often every node is asked who it thinks leads.
const pollInterval = 100 * time.Millisecond

// maxLogLine bounds the part of a node's log line that is looked at.
const maxLogLine = 64 << 10

// observer records what nodes say about themselves: in their logs and when asked.
type observer struct {
	target Target
	log    *history.Log
	events *events
	// crashed is deferred in goroutines: it makes a panic the end of the run.
	crashed func(who string)

	mu     sync.Mutex
	claims map[claimKey]bool
	latest map[string]history.Status
	heard  map[string]time.Time // when a node answered last
	top    history.Claim        // of the highest term, for the progress line
	who    string
}

type claimKey struct {
	node string
	history.Claim
}

func newObserver(t Target, log *history.Log, e *events, crashed func(who string)) *observer {
	return &observer{
		target:  t,
		log:     log,
		events:  e,
		crashed: crashed,
		claims:  map[claimKey]bool{},
		latest:  map[string]history.Status{},
		heard:   map[string]time.Time{},
	}
}

// leader returns the node that claimed the highest term so far.
func (o *observer) leader() (node string, term uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.who, o.top.Term
}

func (o *observer) note(node, f string, value any) {
	v, err := json.Marshal(value)
	if err != nil {
		return // a struct of strings and numbers
	}
	o.log.Append(history.Event{Process: history.Observer, Kind: history.Note, F: f, Node: node, Value: v})
}

// claim records that a node says it leads a term, once for each source.
func (o *observer) claim(node string, c history.Claim) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.claims[claimKey{node, c}] {
		return
	}
	o.claims[claimKey{node, c}] = true
	if c.Term > o.top.Term {
		o.events.elected()
	}
	if c.Term >= o.top.Term {
		o.top, o.who = c, node
	}
	o.note(node, history.FClaim, c)
}

// stillHeard is for how long what a node said last counts.
const stillHeard = time.Second

// contested reports whether a node says that it leads, and so did another one a moment ago; the caller holds mu.
func (o *observer) contested(node string, s history.Status) bool {
	if s.Role != "leader" {
		return false
	}
	for other, last := range o.latest {
		if other != node && last.Role == "leader" && time.Since(o.heard[other]) < stillHeard {
			return true
		}
	}
	return false
}

// status records a node's answer if it says anything new about who leads, or if two say that they do: then, that both
// go on saying so is worth knowing.
func (o *observer) status(node string, s history.Status) {
	if s.Role == "leader" && !s.Vague {
		o.claim(node, history.Claim{Term: s.Term, Source: "status"})
	}
	o.events.status(node, s)
	o.mu.Lock()
	defer o.mu.Unlock()
	last, known := o.latest[node]
	o.latest[node], o.heard[node] = s, time.Now()
	if contested := o.contested(node, s); contested && known && last.Role == s.Role && last.Term == s.Term &&
		last.Leader == s.Leader {
		o.note(node, history.FStatus, s)
		return
	}
	if !known || last.Role != s.Role || last.Term != s.Term || last.Leader != s.Leader {
		o.note(node, history.FStatus, s)
		o.events.changedRole()
	}
}

// poll asks every node about itself, again and again, until stop is called.
func (o *observer) poll(c *Cluster) (stop func()) {
	reporter, ok := o.target.(Reporter)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for _, name := range c.Nodes() {
		wait.Go(func() {
			defer o.crashed("a poll of " + name)
			for {
				asking, done := context.WithTimeout(ctx, statusTimeout)
				s, err := reporter.Status(asking, c.Node(name))
				done()
				if err == nil {
					o.status(name, s)
				} else {
					o.events.silent(name)
				}
				if !sleep(ctx, pollInterval) {
					return
				}
			}
		})
	}
	return func() { cancel(); wait.Wait() }
}

// settleTimeout is how long nodes may take, once all calls have ended, to apply the same index.
const settleTimeout = 10 * time.Second

// last records the statuses of all nodes at the end, when nothing goes on any more: nodes that
// have applied the same index must be in the same state. It waits a little for them to get there.
func (o *observer) last(ctx context.Context, c *Cluster) {
	if _, ok := o.target.(Reporter); !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		statuses, err := c.statuses(ctx, c.Members())
		if (err == nil && settled(statuses)) || !sleep(ctx, pollInterval) {
			for _, name := range c.Members() {
				if s, ok := statuses[name]; ok {
					o.note(name, history.FStatus, s)
				}
			}
			return
		}
	}
}

// hashes records the hashes of all nodes' states, if the target is a [Hasher]: at the end, as of one
// revision that all of them have reached. It waits a little for them to get there.
func (o *observer) hashes(ctx context.Context, c *Cluster) {
	hasher, ok := o.target.(Hasher)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var said map[string]history.Hash
	for revision := uint64(0); ; {
		if now := o.ask(ctx, hasher, c, revision); len(now) >= len(said) {
			said = now // a round that time ran out on says less
		}
		lowest, same := uint64(math.MaxUint64), len(said) == len(c.Members())
		for _, h := range said {
			lowest = min(lowest, h.Revision)
		}
		for _, h := range said {
			same = same && h.Revision == lowest
		}
		if same || !sleep(ctx, pollInterval) {
			break
		}
		if revision = lowest; len(said) == 0 {
			revision = 0
		}
	}
	for _, name := range c.Members() {
		if h, ok := said[name]; ok {
			o.note(name, history.FHash, h)
		}
	}
}

// ask asks all nodes for the hash of their state as of a revision, or of now if it is 0.
func (o *observer) ask(ctx context.Context, hasher Hasher, c *Cluster, revision uint64) map[string]history.Hash {
	var mu sync.Mutex
	said := make(map[string]history.Hash)
	var wait sync.WaitGroup
	for _, name := range c.Members() {
		wait.Go(func() {
			defer o.crashed("the hashing of " + name)
			if h, err := hasher.Hash(ctx, c.Node(name), revision); err == nil {
				mu.Lock()
				defer mu.Unlock()
				said[name] = h
			}
		})
	}
	wait.Wait()
	return said
}

// settled reports whether nodes that hash their state in their status have applied the same index.
func settled(statuses map[string]history.Status) bool {
	var first *history.Status
	for _, s := range statuses {
		if s.Hash == "" {
			continue
		}
		if first == nil {
			first = &s
		}
		if s.Applied != first.Applied {
			return false
		}
	}
	return true
}

// tap returns a writer that passes on to w and reads claims from the lines that go by, if the
// target is a [Witness] or a [Teller].
func (o *observer) tap(node string, w io.Writer) io.Writer {
	witness, claims := o.target.(Witness)
	teller, tells := o.target.(Teller)
	if !claims && !tells {
		return w
	}
	return &tap{Writer: w, see: func(line []byte) {
		defer o.crashed("the reading of the log of " + node)
		if claims {
			if term, ok := witness.Claim(line); ok {
				o.claim(node, history.Claim{Term: term, Source: "log"})
			}
		}
		if tells {
			if told, ok := teller.Tell(line); ok {
				o.note(node, history.FTold, told)
				o.events.changedRole()
			}
		}
	}}
}

// tap cuts a stream into lines.
type tap struct {
	io.Writer
	see func(line []byte)

	mu   sync.Mutex
	line []byte
}

// breakOff forgets the line that a node had not ended when its process did: what the next one writes is another line.
func (t *tap) breakOff() {
	t.mu.Lock()
	t.line = t.line[:0]
	t.mu.Unlock()
	if inner, ok := t.Writer.(*tap); ok {
		inner.breakOff()
	}
}

// Write passes p on and looks at the lines that it completes.
func (t *tap) Write(p []byte) (int, error) {
	t.look(p)
	return t.Writer.Write(p)
}

func (t *tap) look(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if room := maxLogLine - len(t.line); room > 0 {
			t.line = append(t.line, line[:min(room, len(line))]...)
		}
		if whole {
			t.see(t.line)
			t.line = t.line[:0]
		}
		rest = after
	}
}
