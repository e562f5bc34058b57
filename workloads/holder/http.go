package holder

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads/endpoint"
)

// ServeHTTP takes a [Call] by POST and answers with a [Reply].
func (h *Holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return // whoever asks whether it serves
	}
	var c Call
	if !endpoint.Decode(w, r, &c) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(h.Call(r.Context(), c)) // whoever has hung up wants no answer
}

// Client tells a holder what one process is to call.
type Client struct {
	addr      string
	name      string
	http      *http.Client
	process   int
	hasCalled bool
}

// Dial returns a client of the holder at an address. Nothing is sent yet.
func Dial(addr string) *Client {
	return &Client{addr: addr, name: rand.Text(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
}

// Call lets a process make a call. An error says that there was no answer; it wraps [harness.ErrNotApplied] if nothing
// was sent.
func (c *Client) Call(ctx context.Context, call Call) (r Reply, err error) {
	c.process, c.hasCalled = call.Process, true
	call.Client = c.name
	status, body, err := endpoint.Post(ctx, c.http, c.addr, call)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			err = fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // without a connection nothing has left
		}
		return r, err
	}
	switch status {
	case http.StatusOK:
	case http.StatusServiceUnavailable: // it has not begun to take calls
		return r, fmt.Errorf("the holder is not ready: %w", harness.ErrNotApplied)
	default:
		return r, fmt.Errorf("the holder answers %d", status)
	}
	if r, err = history.Strictly[Reply](body, "outcome"); err != nil {
		return r, fmt.Errorf("the holder's answer: %w", err)
	}
	return r, nil
}

// endTimeout bounds the telling of a holder that a process has ended: it may be paused, or gone.
const endTimeout = 300 * time.Millisecond

// Close ends the process: whatever it holds is given up.
func (c *Client) Close() error {
	defer c.http.CloseIdleConnections()
	if !c.hasCalled {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	_, _ = c.Call(ctx, Call{F: End, Process: c.process}) // what is not given up, the holder gives up when nobody calls
	return nil
}
