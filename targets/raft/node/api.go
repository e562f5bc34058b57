package node

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/sunder-dev/sunder/targets/kvhttp"
	"github.com/sunder-dev/sunder/targets/raft/core"
)

// The client API is HTTP and JSON, at every node alike; followers forward to the leader.
//
//	GET    /kv/{key}                          -> 200 Reply, 404 Reply
//	PUT    /kv/{key}     {"value": "v"}       -> 200 Reply
//	POST   /kv/{key}/cas {"old", "value"}     -> 200 Reply, 409 Reply with the value that is there
//	DELETE /kv/{key}                          -> 200 Reply, 404 Reply
//	GET    /status                            -> 200 Status
//	POST   /transfer                          -> 200 once another node leads, 409 if this one does not lead
//	PUT    /members/{id}                      -> 200 once it is a learner, or a voter
//	POST   /members/{id}/promote              -> 200 once it is a voter
//	DELETE /members/{id}                      -> 200 once it is no member; 409 for these three if nothing came of it, such as
//	                                             that this node does not lead
//
// 503 says that the request was never handed to a leader and so has not happened; 504 says that
// nobody knows.

// Status is the body of an answer to /status.
type Status struct {
	ID     string `json:"id"`
	Role   string `json:"role"`
	Term   uint64 `json:"term"`
	Leader string `json:"leader,omitempty"` // its place
	// Voters and Learners are the members, committed or not.
	Voters    []string `json:"voters"`
	Learners  []string `json:"learners,omitempty"`
	LastIndex uint64   `json:"last_index"`
	Commit    uint64   `json:"commit"`
	Applied   uint64   `json:"applied"`
	// Hash is of the state after the entry at Applied.
	Hash uint64 `json:"hash,string"`
}

// maxBody bounds what a client can make a node read.
const maxBody = 1 << 20

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key}", n.handleGet)
	mux.HandleFunc("PUT /kv/{key}", func(w http.ResponseWriter, r *http.Request) { n.handleChange(w, r, opPut) })
	mux.HandleFunc("POST /kv/{key}/cas", func(w http.ResponseWriter, r *http.Request) { n.handleChange(w, r, opCAS) })
	mux.HandleFunc("DELETE /kv/{key}", func(w http.ResponseWriter, r *http.Request) { n.handleChange(w, r, opDelete) })
	mux.HandleFunc("GET /status", n.handleStatus)
	mux.HandleFunc("POST /transfer", n.handleTransfer)
	mux.HandleFunc("PUT /members/{id}", n.handleMembers(core.AddLearner))
	mux.HandleFunc("POST /members/{id}/promote", n.handleMembers(core.Promote))
	mux.HandleFunc("DELETE /members/{id}", n.handleMembers(core.Remove))
	return mux
}

func (n *node) handleStatus(w http.ResponseWriter, _ *http.Request) {
	status := make(chan Status, 1)
	n.do(func() {
		s := n.raft.Status()
		out := Status{
			ID:        s.ID.String(),
			Role:      s.Role.String(),
			Term:      s.Term,
			LastIndex: s.LastIndex,
			Commit:    s.Committed,
			Applied:   n.store.Applied,
			Hash:      n.store.Hash,
			Voters:    names(s.Members.Voters),
			Learners:  names(s.Members.Learners),
		}
		if s.Leader != 0 {
			out.Leader = s.Leader.Place().String()
		}
		status <- out
	})
	select {
	case s := <-status:
		reply(w, http.StatusOK, s)
	case <-n.ctx.Done():
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "the node is stopping"})
	}
}

// handleTransfer hands leadership over, and answers once another node leads: 409 if this one did not lead.
func (n *node) handleTransfer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), n.cfg.RequestTimeout)
	defer cancel()
	to := make(chan core.ID, 1)
	n.do(func() { to <- n.raft.Transfer() })
	select {
	case id := <-to:
		if id == core.None {
			reply(w, http.StatusConflict, kvhttp.Reply{Error: "it does not lead, or hears nobody"})
			return
		}
	case <-n.ctx.Done():
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "the node is stopping"})
		return
	}
	n.await(ctx, w, func(s core.Status) bool { return s.Leader != core.None && s.Leader != s.ID })
}

// await answers 200 as soon as the node's state is as asked for, and 504 if it is not in time.
func (n *node) await(ctx context.Context, w http.ResponseWriter, is func(core.Status) bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		status := make(chan core.Status, 1)
		n.do(func() { status <- n.raft.Status() })
		select {
		case s := <-status:
			if is(s) {
				reply(w, http.StatusOK, kvhttp.Reply{})
				return
			}
		case <-n.ctx.Done():
			reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "the node is stopping"})
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "it did not come about in time"})
			return
		}
	}
}

func (n *node) handleGet(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), n.cfg.RequestTimeout)
	defer cancel()
	requests := make(chan *readRequest, 1)
	var id uint64
	n.do(func() {
		var read *readRequest
		if n.cfg.Bugs[ReadCache] {
			if c, ok := n.cache[r.PathValue("key")]; ok && time.Since(c.at) < cacheLife {
				read = &readRequest{answer: make(chan answer, 1)}
				read.answer <- answer{outcome: outcome{Done: true, Value: c.value}}
				requests <- read
				return
			}
		}
		id, read = n.requests.addRead(r.PathValue("key"))
		if n.raft.Read(id) {
			read.asked = time.Now()
		}
		requests <- read
	})
	var read *readRequest
	select {
	case read = <-requests:
	case <-n.ctx.Done():
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "the node is stopping"})
		return
	}
	select {
	case a := <-read.answer:
		code := http.StatusOK
		if a.outcome.Value == nil {
			code = http.StatusNotFound
		}
		reply(w, code, kvhttp.Reply{Value: a.outcome.Value, Index: a.index})
	case <-ctx.Done():
		n.do(func() { delete(n.requests.reads, id) })
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "no leader confirmed the read in time"})
	case <-n.ctx.Done():
		reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "the node is stopping"})
	}
}

func (n *node) handleChange(w http.ResponseWriter, r *http.Request, op operation) {
	var body kvhttp.Request
	if !utf8.ValidString(r.PathValue("key")) {
		reply(w, http.StatusBadRequest, kvhttp.Reply{Error: "the key is not UTF-8"}) // nor would it survive JSON
		return
	}
	if op != opDelete {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			reply(w, http.StatusBadRequest, kvhttp.Reply{Error: "body: " + err.Error()})
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), n.cfg.RequestTimeout)
	defer cancel()
	changes := make(chan *change, 1)
	n.do(func() {
		if ctx.Err() != nil {
			return // nobody waits any more
		}
		op := op
		if n.cfg.Bugs[CASComparesEarly] && op == opCAS {
			if before := n.store.get(r.PathValue("key")); before != nil && *before == body.Old {
				op = opPut
			}
		}
		p, err := n.requests.addChange(command{Op: op, Key: r.PathValue("key"), Value: body.Value, Old: body.Old})
		if err != nil {
			n.log.Error("request dropped", "err", err)
			return
		}
		changes <- p // before it can be answered
		n.submit(p)
	})
	var p *change
	select {
	case p = <-changes:
	case <-ctx.Done():
		reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "the node is busy"})
		return
	case <-n.ctx.Done():
		reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "the node is stopping"})
		return
	}
	select {
	case a := <-p.answer:
		if a.refused {
			reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "leadership was lost"})
			return
		}
		reply(w, code(op, a.outcome), kvhttp.Reply{Value: a.outcome.Value, Index: a.index})
	case <-ctx.Done():
		n.giveUp(w, p)
	case <-n.ctx.Done():
		reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "the node is stopping"})
	}
}

func code(op operation, out outcome) int {
	switch {
	case out.Done:
		return http.StatusOK
	case op == opCAS:
		return http.StatusConflict
	default:
		return http.StatusNotFound
	}
}

// giveUp ends a change that got no answer in time. Only one that was never sent to any leader,
// this node included, is known not to have happened.
func (n *node) giveUp(w http.ResponseWriter, p *change) {
	unsent := make(chan bool, 1)
	n.do(func() {
		n.requests.drop(p)
		unsent <- p.sent.IsZero()
	})
	select {
	case never := <-unsent:
		if never {
			reply(w, http.StatusServiceUnavailable, kvhttp.Reply{Error: "there was no leader to hand the request to"})
			return
		}
	case <-n.ctx.Done():
	}
	reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "no answer in time: the request may or may not take effect"})
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone, and that is its business
}
