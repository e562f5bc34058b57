// Package kvhttp is how clients call the members that are built in: HTTP and JSON.
//
//	GET  /kv/{key}                       -> 200 Reply, 404 Reply
//	PUT  /kv/{key}     {"value": "v"}    -> 200 Reply
//	POST /kv/{key}/cas {"old", "value"}  -> 200 Reply, 409 Reply with the value that is there
//
// 503 says that the request has not happened and never will, and 504 that nobody knows.
package kvhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Reply is the body of every answer about a key.
type Reply struct {
	// Value is what the key holds (get) or held before (put, cas, delete); null if nothing.
	Value *string `json:"value"`
	// Index is the place in the log at which this was so.
	Index uint64 `json:"index,omitempty"`
	Error string `json:"error,omitempty"`
}

// Request is the body of a put or cas.
type Request struct {
	Value string `json:"value"`
	Old   string `json:"old,omitempty"`
}

// Client talks to one member. It never retries.
type Client struct {
	base      string
	transport *http.Transport
	http      http.Client
}

// NewClient returns a client of the member whose clients connect to addr. Nothing is sent yet.
func NewClient(addr string) *Client {
	// One connection, kept: a process has one call open at a time. Go's transport sends a
	// request again only if not a byte of it was written, or if it is a GET.
	transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}
	return &Client{base: "http://" + addr, transport: transport, http: http.Client{Transport: transport}}
}

// Close closes the connection.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Read returns the value of a key, or nil if there is none. The read is linearizable.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	var r Reply
	code, err := c.Do(ctx, http.MethodGet, keyPath(key), nil, &r)
	switch {
	case err != nil:
		return nil, history.Stamp{}, err
	case code == http.StatusOK && r.Value != nil:
		return r.Value, history.Stamp{}, nil
	case code == http.StatusNotFound:
		return nil, history.Stamp{}, nil
	}
	return nil, history.Stamp{}, answerError(code, r)
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	var r Reply
	code, err := c.Do(ctx, http.MethodPut, keyPath(key), Request{Value: value}, &r)
	if err == nil && code != http.StatusOK {
		err = answerError(code, r)
	}
	return history.Stamp{}, err
}

// CompareAndSet sets a key if it holds old. A [harness.Refusal] says that it holds another value, or none.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	var r Reply
	code, err := c.Do(ctx, http.MethodPost, keyPath(key)+"/cas", Request{Old: old, Value: value}, &r)
	switch {
	case err != nil:
		return history.Stamp{}, err
	case code == http.StatusOK:
		return history.Stamp{}, nil
	case code == http.StatusConflict:
		// Proof: the command went through the log and was applied, and comparing was all it did.
		return history.Stamp{}, harness.Refusal{Reason: history.Mismatch, Found: r.Value, Known: true}
	}
	return history.Stamp{}, answerError(code, r)
}

func keyPath(key string) string { return "/kv/" + url.PathEscape(key) }

// answerError turns an answer that is neither yes nor no into an error.
func answerError(code int, r Reply) error {
	err := fmt.Errorf("%d: %s", code, r.Error)
	switch code {
	case http.StatusServiceUnavailable:
		// Proof: the node says so only of a request that it neither put into its own log nor
		// sent to another node, and that it has forgotten since.
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
	case http.StatusBadRequest:
		// Proof: the body was refused before anything was made of it.
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
	}
	return err
}

// maxAnswer bounds what a node can make us read.
const maxAnswer = 1 << 20

// Do makes one request, and decodes the answer. An error wraps [harness.ErrNotApplied] if nothing was sent.
func (c *Client) Do(ctx context.Context, method, path string, body, answer any) (code int, err error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	response, err := c.http.Do(request)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			// Proof: without a connection, no byte of the request has left.
			return 0, fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
		return 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return 0, fmt.Errorf("answer of %s %s: %w", method, path, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // so that the connection is used again
	return response.StatusCode, nil
}
