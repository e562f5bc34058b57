// Package holder is a client that takes locks, as a process of its own: a fault can pause it, kill it and cut it off as
// it can members of the cluster. The controller tells it what to call, and it calls as users do, by all members.
package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/workloads/guard"
)

// Config says what a holder is.
type Config struct {
	// Listen is where it is told what to call.
	Listen string `json:"listen"`
	// Guard is the address of what the locks guard.
	Guard string `json:"guard"`
	// Target is the system that has the locks, as on the command line, and Members are its, in
	// the order in which they are called.
	Target string `json:"target"`
	// Options are those of the run, of which the target's are its own.
	Options map[string]string `json:"options,omitempty"`
	Members []harness.Member  `json:"members"`
	// Locks are the names of all locks that are taken, and Recipe is how.
	Locks  []string `json:"locks"`
	Recipe Recipe   `json:"recipe"`
	// Prepares says that it is the one that prepares the locks, if the recipe needs that.
	Prepares bool `json:"prepares,omitempty"`
	// TTL is after how long without a word from a holder what it holds is lost.
	TTL time.Duration `json:"ttl_ns"`
}

// Recipe is how locks are taken.
type Recipe string

// The recipes.
const (
	// Own is that of the target itself: its client library, or what its documentation says.
	Own Recipe = "own"
	// Lease is a lease under a key, for all targets that can compare and set; see [NewLeases].
	Lease Recipe = "lease"
)

// Lost is what a holder prints when it learns that it may hold something no more.
type Lost struct {
	Process int    `json:"process"`
	Lock    string `json:"lock"`
	Token   uint64 `json:"token"`
	// Monotonic is when, by [harness.Monotonic].
	Monotonic int64 `json:"monotonic_ns"`
}

// Line is a line that a holder prints.
type Line struct {
	Lost *Lost `json:"lost,omitempty"`
}

// What a holder is asked to do.
const (
	Acquire  = "acquire"
	Campaign = "campaign"
	Write    = "write"
	Release  = "release"
	End      = "end" // of a process: whatever it holds is given up
)

// Call is something that a process is to call.
type Call struct {
	F       string `json:"f"`
	Process int    `json:"process"`
	// Client is who asks for the process: another one means that what the last one held is to be given up.
	Client string `json:"client"`
	Lock   string `json:"lock"`
	Value  uint64 `json:"value,omitempty"`
	// Timeout is after how long what is waited for is given up, where that can be done so that nothing is in doubt.
	Timeout time.Duration `json:"timeout_ns,omitempty"`
}

// Reply is what came of a call.
type Reply struct {
	// Token is that of the tenure that the call began, or was made under.
	Token uint64 `json:"token,omitempty"`
	// Err says why it failed, and Outcome whether it is known to have.
	Err     string  `json:"err,omitempty"`
	Outcome Outcome `json:"outcome"`
}

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	NotDone  Outcome = "not-done" // and never will be
	Refused  Outcome = "refused"  // by the guard, for its token
	NotKnown Outcome = "not-known"
)

// errors of calls that were not made.
var (
	errHolds = errors.New("the process holds it already")
	errIdle  = errors.New("the process does not hold it")
	errLost  = errors.New("the process was told that it holds it no more")
)

// Holder makes the calls of processes, each with a locker of its own.
type Holder struct {
	// open returns a new locker for a process.
	open  func(process int) (harness.Locker, error)
	guard *guard.Client
	now   func() int64

	printing sync.Mutex
	out      io.Writer

	mu        sync.Mutex
	processes map[int]*process
	watching  sync.WaitGroup
}

// process is one client. It makes one call at a time.
type process struct {
	calling sync.Mutex
	client  string // who asks for it
	called  time.Time
	doubt   bool // a write may be under way still: what guards it is not given up to others
	locker  harness.Locker
	held    map[string]*tenure
}

// tenure is something that is held, or was until its holder was told that it is not.
type tenure struct {
	harness.Tenure
	token uint64
	over  chan struct{} // closed when it was given up
}

// idle is after how long without a call a process gives up what it holds: whoever asked for it may be gone.
const idle = 15 * time.Second

// New returns a holder whose processes get their lockers from open. What it learns it prints to out, with the time by
// now.
func New(open func(process int) (harness.Locker, error), g *guard.Client, now func() int64, out io.Writer) *Holder {
	return &Holder{open: open, guard: g, now: now, out: out, processes: map[int]*process{}}
}

// Call makes a call of a process.
func (h *Holder) Call(ctx context.Context, c Call) Reply {
	p := h.process(c.Process)
	p.calling.Lock()
	defer p.calling.Unlock()
	if c.F == End {
		if p.client == c.Client { // otherwise another one asks for the process by now
			h.drop(p)
		}
		return Reply{Outcome: Done}
	}
	if p.client != c.Client {
		h.drop(p)
		p.client = c.Client
	}
	defer func() { p.called = time.Now() }()
	switch c.F {
	case Acquire, Campaign:
		return h.take(ctx, p, c)
	case Write:
		return h.write(ctx, p, c)
	case Release:
		return h.release(ctx, p, c)
	}
	return failed(NotDone, fmt.Errorf("there is no call %q", c.F))
}

func failed(o Outcome, err error) Reply { return Reply{Outcome: o, Err: err.Error()} }

func (h *Holder) process(n int) *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.processes[n]
	if p == nil {
		p = &process{held: map[string]*tenure{}}
		h.processes[n] = p
	}
	return p
}

// take acquires a lock, or wins an election.
func (h *Holder) take(ctx context.Context, p *process, c Call) Reply {
	if p.held[c.Lock] != nil {
		return failed(NotDone, errHolds)
	}
	if p.locker == nil {
		var err error
		if p.locker, err = h.open(c.Process); err != nil {
			return failed(NotDone, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	took, err := h.begin(ctx, p, c)
	if err != nil {
		// Nobody holds it by this process, as far as anybody can tell: it gives up whatever it may have, and calls again by
		// another locker.
		h.drop(p)
		return failed(NotDone, err)
	}
	t := &tenure{took, took.Token(), make(chan struct{})}
	p.held[c.Lock] = t
	h.watching.Go(func() { h.watch(p, t, c) })
	return Reply{Outcome: Done, Token: t.token}
}

func (h *Holder) begin(ctx context.Context, p *process, c Call) (harness.Tenure, error) {
	if e, ok := p.locker.(harness.Elector); ok && c.F == Campaign {
		return e.Campaign(ctx, c.Lock, fmt.Sprint(c.Process))
	}
	return p.locker.Acquire(ctx, c.Lock)
}

// watch prints when a tenure is lost, and gives it up when nobody has asked for its process for long.
func (h *Holder) watch(p *process, t *tenure, c Call) {
	look := time.NewTicker(idle / 4)
	defer look.Stop()
	for waiting := true; waiting; {
		select {
		case <-t.over:
			return
		case <-t.Lost():
			waiting = false
		case <-look.C:
			h.dropIdle(p, t, c.Lock)
		}
	}
	at := h.now()
	select {
	case <-t.over: // what is given up is lost too, in some systems
		return
	default:
	}
	line, err := json.Marshal(Line{Lost: &Lost{Process: c.Process, Lock: c.Lock, Token: t.token, Monotonic: at}})
	if err != nil {
		return // numbers and a name
	}
	h.printing.Lock()
	defer h.printing.Unlock()
	_, _ = h.out.Write(append(line, '\n')) // nobody is left to be told
}

// write writes to what the lock guards, unless the process knows that it holds the lock no more.
func (h *Holder) write(ctx context.Context, p *process, c Call) Reply {
	t := p.held[c.Lock]
	if t == nil {
		return failed(NotDone, errIdle)
	}
	w := guard.Write{Process: c.Process, Lock: c.Lock, Token: t.token, Value: c.Value}
	r := Reply{Token: t.token, Outcome: Done}
	select {
	case <-t.Lost():
		h.drop(p)
		return failed(NotDone, errLost)
	default:
	}
	// Whoever has sent something cannot take it back.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	err := h.guard.Write(sending, w)
	switch {
	case errors.Is(err, guard.ErrStale):
		h.drop(p) // whoever is told so holds it no more
		r.Outcome, r.Err = Refused, err.Error()
	case err != nil:
		p.doubt = true
		r.Outcome, r.Err = NotKnown, err.Error()
	}
	return r
}

func (h *Holder) release(ctx context.Context, p *process, c Call) Reply {
	t := p.held[c.Lock]
	if t == nil {
		return failed(NotDone, errIdle)
	}
	delete(p.held, c.Lock)
	select {
	case <-t.Lost():
		h.drop(p)
		return failed(NotDone, errLost)
	default:
	}
	close(t.over)
	if err := t.Release(ctx); err != nil {
		h.drop(p)
		return failed(NotKnown, err)
	}
	return Reply{Outcome: Done, Token: t.token}
}

// dropIdle gives up what a process holds that nobody has asked for for long.
func (h *Holder) dropIdle(p *process, t *tenure, lock string) {
	if !p.calling.TryLock() {
		return // somebody does
	}
	defer p.calling.Unlock()
	if p.held[lock] == t && time.Since(p.called) > idle {
		h.drop(p)
	}
}

// dropTimeout bounds the giving up of what a process may hold.
const dropTimeout = 2 * time.Second

// drop gives up whatever a process holds, and its locker; the caller holds calling.
func (h *Holder) drop(p *process) {
	var held []*tenure
	for name, t := range p.held {
		close(t.over)
		delete(p.held, name)
		held = append(held, t)
	}
	if p.doubt { // the write may come yet: nobody else is to hold the lock before its time
		held, p.doubt = nil, false
	}
	if l := p.locker; l != nil {
		p.locker = nil
		h.watching.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
			defer cancel()
			for _, t := range held {
				_ = t.Release(ctx) // what it cannot give up, it loses after its time
			}
			_ = l.Close(ctx)
		})
	}
}

// Close ends all processes, and waits until they have given up what they hold.
func (h *Holder) Close() {
	h.mu.Lock()
	all := slices.Collect(maps.Values(h.processes))
	clear(h.processes)
	h.mu.Unlock()
	for _, p := range all {
		p.calling.Lock()
		h.drop(p)
		p.calling.Unlock()
	}
	h.watching.Wait()
}
