package described

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Client calls one member by HTTP. It never retries, and follows no redirect: that would be a call to another member.
type Client struct {
	description Description
	base        string
	transport   *http.Transport
	http        http.Client
}

func newClient(d Description, addr string) *Client {
	// One connection, kept: a process has one call open at a time. Go's transport sends a request again only if not a byte
	// of it was written, or if it is a GET, which only reads are. What HTTP_PROXY says does not matter: traffic goes to
	// members alone.
	transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}
	return &Client{d, "http://" + addr, transport, http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes the connection.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Read returns the value of a key, or nil if there is none.
func (c *Client) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	r := c.description.Read
	code, body, err := c.ask(ctx, r, Call{Key: key})
	switch {
	case err != nil:
		return nil, history.Stamp{}, err
	case slices.Contains(r.Absent, code):
		return nil, history.Stamp{}, nil
	case !slices.Contains(r.OK, code):
		return nil, history.Stamp{}, verdict(r, code, body)
	case r.Value == "":
		text := strings.TrimSuffix(strings.TrimSuffix(string(body), "\n"), "\r") // as many print it
		return &text, history.Stamp{}, nil
	}
	value, err := at(body, r.Value)
	return value, history.Stamp{}, err
}

// Write sets a key.
func (c *Client) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	r := c.description.Write
	code, body, err := c.ask(ctx, r, Call{Key: key, Value: value})
	if err == nil && !slices.Contains(r.OK, code) {
		err = verdict(r, code, body)
	}
	return history.Stamp{}, err
}

// CompareAndSet sets a key if it holds old.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	r := c.description.CAS
	if r == nil {
		return history.Stamp{}, fmt.Errorf("the description has no cas: %w", harness.ErrNotApplied) // nothing was sent
	}
	code, body, err := c.ask(ctx, *r, Call{Key: key, Value: value, Old: old})
	switch {
	case err != nil:
	case slices.Contains(r.Mismatch, code):
		err = harness.Refusal{Reason: history.Mismatch} // as the description says
	case !slices.Contains(r.OK, code):
		err = verdict(*r, code, body)
	}
	return history.Stamp{}, err
}

// verdict makes an error of an answer that is no yes.
func verdict(r Request, code int, body []byte) error {
	text := strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")
	err := fmt.Errorf("%d: %s", code, text)
	if slices.Contains(r.Failed, code) {
		return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // as the description says
	}
	return err
}

// ask sends one request.
func (c *Client) ask(ctx context.Context, r Request, call Call) (code int, answer []byte, err error) {
	path, err := fill(r.Path, Call{url.PathEscape(call.Key), url.PathEscape(call.Value), url.PathEscape(call.Old)})
	body, bodyErr := fill(r.Body, call)
	if err = errors.Join(err, bodyErr); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	return c.do(ctx, r.Method, path, body)
}

// maxAnswer bounds what a member can make us read.
const maxAnswer = 1 << 20

func (c *Client) do(ctx context.Context, method, path, body string) (code int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			// Proof: without a connection, no byte of the request has left.
			return 0, nil, fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if len(answer) > maxAnswer {
		err = fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("answer of %s %s: %w", method, path, err)
	}
	return response.StatusCode, answer, nil
}
