// Package guard is the resource that a lock guards: a small server that clients write to while they hold the lock. It
// prints every write, and can refuse those that come with an older token than one before (fencing; Kleppmann, How to do
// distributed locking, 2016).
package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads/endpoint"
)

// Config says where a guard listens, and whether it checks tokens.
type Config struct {
	Listen  string `json:"listen"`
	Fencing bool   `json:"fencing"`
}

// Write is a write to what a lock guards.
type Write struct {
	Process int    `json:"process"`
	Lock    string `json:"lock"`
	Token   uint64 `json:"token"`
	Value   uint64 `json:"value"`
}

// ErrStale says that a write was refused: a later holder has written before.
var ErrStale = errors.New("a later holder has written before")

// Guard keeps what was written, and the highest token that came with a write of each lock's.
type Guard struct {
	fencing bool
	out     io.Writer

	mu      sync.Mutex
	seq     uint64
	highest map[string]uint64
}

// New returns a guard that prints what becomes of each write, as a line for [history.FGuarded].
func New(fencing bool, out io.Writer) *Guard {
	return &Guard{fencing: fencing, out: out, highest: map[string]uint64{}}
}

// Write makes a write, or returns [ErrStale].
func (g *Guard) Write(w Write) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	highest := g.highest[w.Lock]
	accepted := !g.fencing || w.Token >= highest
	said, err := json.Marshal(Line{Guarded: &history.Guarded{
		Seq: g.seq + 1, Process: w.Process, Lock: w.Lock, Token: w.Token, Highest: highest, Value: w.Value, Accepted: accepted,
	}})
	if err == nil {
		_, err = g.out.Write(append(said, '\n')) // before it counts: what is not in the log was not made
	}
	if err != nil {
		return err
	}
	g.seq++
	g.highest[w.Lock] = max(highest, w.Token)
	if !accepted {
		return ErrStale
	}
	return nil
}

// Line is a line that a guard prints.
type Line struct {
	Guarded *history.Guarded `json:"guarded,omitempty"`
}

// ServeHTTP takes a [Write] by POST, and answers 200 if it was made and 409 if it is stale.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return // whoever asks whether it serves
	}
	var write Write
	if !endpoint.Decode(w, r, &write) {
		return
	}
	switch err := g.Write(write); {
	case errors.Is(err, ErrStale):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Serve runs a guard until ctx ends.
func Serve(ctx context.Context, c Config, out io.Writer) error {
	return endpoint.Serve(ctx, c.Listen, New(c.Fencing, out))
}

// Client writes to a guard.
type Client struct {
	addr string
	http *http.Client
}

// NewClient returns a client of the guard at an address.
func NewClient(addr string) *Client {
	return &Client{addr: addr, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
}

// Write makes a write. [ErrStale] says that it was refused; after any other error nobody knows.
func (c *Client) Write(ctx context.Context, w Write) error {
	status, body, err := endpoint.Post(ctx, c.http, c.addr, w)
	switch {
	case err != nil:
		return err
	case status == http.StatusConflict:
		return ErrStale
	case status != http.StatusOK:
		return fmt.Errorf("the guard answers %d: %s", status, bytes.TrimSpace(body))
	}
	return nil
}
