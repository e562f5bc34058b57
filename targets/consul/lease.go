package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// leaseSession is a session as it is asked for: with it, the keys go that it holds. It rests on no health checks: by
// default a session ends with the server that it was asked of, whatever its TTL.
type leaseSession struct {
	TTL, Behavior, LockDelay string
	NodeChecks               []string
}

// Grant sets a key, if no session holds it, by a session of its own. That is lost between its TTL and twice its TTL
// after it was renewed last, as Consul documents.
func (c *Client) Grant(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error) {
	body, err := json.Marshal(leaseSession{
		TTL: ttl.String(), Behavior: "delete", LockDelay: "0s", NodeChecks: []string{},
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	said, err := c.send(ctx, "/v1/session/create", string(body))
	if err != nil {
		return 0, err
	}
	var made struct{ ID string }
	if err := json.Unmarshal(said, &made); err != nil || made.ID == "" {
		return 0, fmt.Errorf("answer to /v1/session/create: %w", errors.Join(err, errors.New("it names no session")))
	}
	set, err := c.put(ctx, path(key)+"?acquire="+url.QueryEscape(made.ID), strconv.FormatUint(value, 10))
	switch {
	case err != nil && strings.Contains(err.Error(), "invalid session"):
		return 0, harness.Refusal{
			Reason: history.Gone,
		} // Proof: it is said when nothing is set (kvs_endpoint.go, state/kvs.go)
	case err != nil:
		return 0, err
	case !set:
		// Proof: another session holds the key, and finding that was all that was done. The session holds nothing.
		return 0, harness.Refusal{Reason: history.Taken}
	}
	return ttl, nil
}

// KeepAlive renews the session that holds a key.
func (c *Client) KeepAlive(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error) {
	session, err := c.session(ctx, key, value)
	if err != nil {
		return 0, err
	}
	if _, err := c.send(ctx, "/v1/session/renew/"+session, ""); err != nil {
		if isNoSession(err) {
			return 0, harness.Refusal{Reason: history.Gone}
		}
		return 0, err
	}
	return ttl, nil
}

// Revoke destroys the session that holds a key.
func (c *Client) Revoke(ctx context.Context, key string, value uint64) error {
	session, err := c.session(ctx, key, value)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, "/v1/session/destroy/"+session, "")
	return err
}

// session returns the session that holds a key with a value. Its errors are proofs: it only reads.
func (c *Client) session(ctx context.Context, key string, value uint64) (string, error) {
	var entries []struct {
		Session string
		Value   []byte
	}
	if _, err := get(ctx, c.http, c.base, path(key)+"?"+string(Consistent), &entries); err != nil {
		return "", fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
	}
	if len(entries) == 0 || entries[0].Session == "" || string(entries[0].Value) != strconv.FormatUint(value, 10) {
		return "", harness.Refusal{Reason: history.Gone}
	}
	return url.PathEscape(entries[0].Session), nil
}

// isNoSession reports whether an error says that there is no such session: so says the leader, which has looked.
func isNoSession(err error) bool { return strings.Contains(err.Error(), "Session id '") }

// send makes one PUT and returns what it was answered.
func (c *Client) send(ctx context.Context, path, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+c.base+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	said, _, err := do(c.http, r)
	return said, err
}
