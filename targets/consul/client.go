package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Client talks to one server.
type Client struct {
	base string
	read string // query of reads
	http *http.Client
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	c := &Client{base: n.Addr(portHTTP), http: newHTTP()}
	if t.Consistency != Default {
		c.read = "?" + string(t.Consistency)
	}
	return c, nil
}

// newHTTP returns a client of one connection. Go's transport sends a request again only if not a byte
// of it was written, or if it is a GET.
func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}}
}

// Close closes the connection.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// entry is a key as Consul tells of it.
type entry struct {
	Key                      string
	CreateIndex, ModifyIndex uint64
	Value                    []byte // of base64
}

func path(key string) string { return "/v1/kv/" + url.PathEscape(key) }

// Read returns the value of a key, or nil if there is none.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	var entries []entry
	index, err := get(ctx, c.http, c.base, path(key)+c.read, &entries)
	at := history.Stamp{Revision: index}
	if err != nil || len(entries) == 0 {
		return nil, at, err
	}
	value := string(entries[0].Value)
	at.Version = entries[0].ModifyIndex
	return &value, at, nil
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	_, err := c.put(ctx, path(key), value)
	return history.Stamp{}, err
}

// CompareAndSet sets a key if it holds old. Consul compares indices, not values: the key is read, and
// set if nobody has written to it since. No two writes have the same index, so what is set had the
// value that was read.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	now, at, err := c.Read(ctx, key)
	switch {
	case err != nil:
		return at, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was asked but to read
	case now == nil || *now != old:
		if c.read != "?"+string(Consistent) {
			// It may have been old when the call was made; only that nothing was set is certain.
			return at, fmt.Errorf("%s holds another value, by a read that may be stale: %w", key, harness.ErrNotApplied)
		}
		// Proof: a linearizable read, within the call, saw another value.
		return at, harness.Refusal{Reason: history.Mismatch, Found: now, Known: true}
	}
	set, err := c.put(ctx, path(key)+"?cas="+strconv.FormatUint(at.Version, 10), value)
	if err == nil && !set {
		// Proof: the server compared the index, and comparing was all that it did. It says nothing of
		// the value: the same one may have been written again.
		return history.Stamp{}, fmt.Errorf("%s was written to in between: %w", key, harness.ErrNotApplied)
	}
	return history.Stamp{}, err
}

// put makes one PUT and returns what it was answered: true or false.
func (c *Client) put(ctx context.Context, path, value string) (bool, error) {
	said, err := c.send(ctx, path, value)
	if err != nil {
		return false, err
	}
	return strconv.ParseBool(strings.TrimSpace(string(said)))
}

// get reads JSON. A key that is not there leaves answer as it is.
func get(ctx context.Context, c *http.Client, addr, path string, answer any) (index uint64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, err
	}
	said, index, err := do(c, r)
	if err != nil || said == nil {
		return index, err
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return 0, fmt.Errorf("answer of GET %s: %w", path, err)
	}
	return index, nil
}

// maxAnswer bounds what a server can make us read.
const maxAnswer = 64 << 20

// undialled returns the error of a request, which is a proof if there was no connection.
func undialled(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // without one, no byte of the request has left
	}
	return err
}

// do makes one request. It returns nil for what is not found.
func do(c *http.Client, r *http.Request) (said []byte, index uint64, err error) {
	response, err := c.Do(r)
	if err != nil {
		return nil, 0, undialled(err)
	}
	defer response.Body.Close()
	said, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, 0, err
	}
	if text := response.Header.Get("X-Consul-Index"); text != "" {
		if index, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, 0, fmt.Errorf("X-Consul-Index: %w", err)
		}
	}
	switch {
	case response.StatusCode == http.StatusOK:
		return said, index, nil
	case response.StatusCode == http.StatusNotFound && r.Method == http.MethodGet && index > 0:
		return nil, index, nil
	}
	return nil, 0, judge(response.StatusCode, strings.TrimSpace(string(said)))
}
