package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/targets/kvhttp"
)

// memory is the name of the file with what a core remembers.
const memory = "memory.json"

// Remembered returns what a member's core remembered last; nil if it never did.
func Remembered(dir string) (json.RawMessage, error) {
	b, err := os.ReadFile(filepath.Join(dir, memory))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Serve runs a member until ctx ends. It logs to say; that it leads is one line, with the term.
func Serve(ctx context.Context, c Config, core Core, say *slog.Logger) error {
	var listen net.ListenConfig
	peers, err := listen.Listen(ctx, "tcp", c.Peers[c.ID])
	if err != nil {
		return err
	}
	clients, err := listen.Listen(ctx, "tcp", c.Client)
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	m := &running{
		Config: c, core: core, say: say, ctx: ctx, fail: cancel, events: make(chan func() Effects),
		// An answer to a request of the process before this one is for nobody.
		next: uint64(time.Now().UnixNano()), waiting: map[uint64]chan Answer{}, out: newOutbox(ctx, c),
	}
	server := &http.Server{Handler: m.handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _, _ = peers.Close(), server.Close() })
	var wait sync.WaitGroup
	wait.Go(m.loop)
	wait.Go(func() { m.accept(peers) })
	wait.Go(m.out.run)
	say.Info("serving", "id", c.ID)
	err = server.Serve(clients)
	cause := context.Cause(ctx)
	stop()
	_, _ = peers.Close(), server.Close() // whichever of them is open still
	cancel(nil)
	wait.Wait()
	switch {
	case cause != nil && !errors.Is(cause, context.Canceled):
		return cause
	case errors.Is(err, http.ErrServerClosed):
		return nil
	}
	return err
}

// running is a member at work. One goroutine owns the core.
type running struct {
	Config
	core   Core
	say    *slog.Logger
	ctx    context.Context
	fail   context.CancelCauseFunc
	events chan func() Effects
	out    *outbox

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan Answer
}

// loop tells the core of everything, one after the other, and does what it wants done.
func (m *running) loop() {
	tick := time.NewTicker(m.Tick)
	defer tick.Stop()
	for {
		var e Effects
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
			e = m.core.Tick()
		case event := <-m.events:
			e = event()
		}
		if err := m.do(m.more(e)); err != nil {
			m.fail(err) // what it could not remember, it must not act upon
			return
		}
	}
}

// mostAtOnce is how many events are told before what they changed is put on disk, once for all of them: a disk is much
// slower than a core.
const mostAtOnce = 256

// more tells the core of what else has come meanwhile.
func (m *running) more(e Effects) Effects {
	for range mostAtOnce {
		if e.Leads > 0 {
			return e // each election is said
		}
		select {
		case event := <-m.events:
			e = e.And(event())
		default:
			return e
		}
	}
	return e
}

// tell hands something to the core, unless ctx ends first.
func (m *running) tell(ctx context.Context, event func() Effects) bool {
	select {
	case m.events <- event:
		return true
	case <-ctx.Done():
	case <-m.ctx.Done():
	}
	return false
}

func (m *running) do(e Effects) error {
	if e.Remember != nil {
		if err := remember(m.Dir, e.Remember); err != nil {
			return fmt.Errorf("remember: %w", err)
		}
	}
	if e.Leads > 0 {
		m.say.Info(leadsLine, "term", e.Leads)
	}
	for _, message := range e.Send {
		m.out.send(message)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range e.Answers {
		if waits := m.waiting[a.ID]; waits != nil {
			waits <- a // it has room for one, and gets one
			delete(m.waiting, a.ID)
		}
	}
	return nil
}

// remember replaces the file with what the core remembers: it is there whole, or as it was.
func remember(dir string, what json.RawMessage) error {
	next := filepath.Join(dir, memory+".next")
	f, err := os.Create(next)
	if err != nil {
		return err
	}
	_, err = f.Write(what)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(dir, memory)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ask makes a request of a client, and waits for its answer.
func (m *running) ask(ctx context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, m.RequestTimeout)
	defer cancel()
	answer := make(chan Answer, 1)
	m.mu.Lock()
	m.next++
	r.ID = m.next
	m.waiting[r.ID] = answer
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.waiting, r.ID)
		m.mu.Unlock()
	}()
	if !m.tell(ctx, func() Effects {
		if ctx.Err() != nil {
			return Effects{} // nobody waits any more: who has much to do must not do what is for nobody
		}
		return m.core.Request(r)
	}) {
		return Answer{Outcome: Refused, Why: "the member is stopping, or has too much to do"}
	}
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
	case <-m.ctx.Done():
	}
	return Answer{Outcome: InDoubt, Why: "no answer in time: the request may or may not take effect"}
}

// maxBody bounds what a client can make a member read.
const maxBody = 1 << 20

func (m *running) handler() http.Handler {
	mux := http.NewServeMux()
	change := func(op Op) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var body kvhttp.Request
			if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&body); err != nil {
				reply(w, http.StatusBadRequest, kvhttp.Reply{Error: "body: " + err.Error()})
				return
			}
			m.answer(w, r, Request{Op: op, Key: r.PathValue("key"), Value: body.Value, Old: body.Old})
		}
	}
	mux.HandleFunc("GET /kv/{key}", func(w http.ResponseWriter, r *http.Request) {
		m.answer(w, r, Request{Op: Get, Key: r.PathValue("key")})
	})
	mux.HandleFunc("PUT /kv/{key}", change(Put))
	mux.HandleFunc("POST /kv/{key}/cas", change(CAS))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		status := make(chan Status, 1)
		if m.tell(r.Context(), func() Effects { status <- m.core.Status(); return Effects{} }) {
			reply(w, http.StatusOK, <-status)
			return
		}
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "the member is stopping, or has too much to do"})
	})
	return mux
}

func (m *running) answer(w http.ResponseWriter, r *http.Request, request Request) {
	a := m.ask(r.Context(), request)
	code := map[Outcome]int{
		OK: http.StatusOK, Mismatch: http.StatusConflict, Refused: http.StatusServiceUnavailable,
		InDoubt: http.StatusGatewayTimeout,
	}[a.Outcome]
	if request.Op == Get && a.Outcome == OK && a.Value == nil {
		code = http.StatusNotFound
	}
	reply(w, code, kvhttp.Reply{Value: a.Value, Error: a.Why})
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // whoever has hung up wants no answer
}
