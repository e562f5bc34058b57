package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/sunder-dev/sunder/harness"
)

// Client talks to one agent.
type Client struct {
	base, token string
	http        http.Client
	orders      atomic.Uint64
}

// NewClient returns a client of the agent at addr, a host and port. It connects when it has
// something to say, and keeps the connection.
func NewClient(addr, token string) *Client {
	return &Client{
		base:  "http://" + addr,
		token: token,
		http:  http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}},
	}
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Set brings all links to the agent's node to their states, and returns when they are in force. Calls
// must not overlap, or the agent may refuse one.
func (c *Client) Set(ctx context.Context, links map[netip.Addr]harness.Impairment) (Shaped, error) {
	var s Shaped
	err := c.do(ctx, http.MethodPut, "/links", order{c.orders.Add(1), links}, &s)
	return s, err
}

// Traffic returns what came over each link to the agent's node and what was lost there.
func (c *Client) Traffic(ctx context.Context) (map[netip.Addr]harness.Traffic, error) {
	var t map[netip.Addr]harness.Traffic
	err := c.do(ctx, http.MethodGet, "/links", nil, &t)
	return t, err
}

// Probe lets the agent send a number to each of some peers, and returns when it did, by the clock of [Client.Arrived].
func (c *Client) Probe(ctx context.Context, numbers map[netip.Addr]uint64) (sent map[netip.Addr]int64, err error) {
	err = c.do(ctx, http.MethodPost, "/probe", numbers, &sent)
	return sent, err
}

// Arrived returns when those of some probes arrived at the agent that did, in nanoseconds of the machine's monotonic
// clock.
func (c *Client) Arrived(ctx context.Context, numbers []uint64) (at map[uint64]int64, err error) {
	err = c.do(ctx, http.MethodPost, "/arrived", numbers, &at)
	return at, err
}

// Lacks returns what the agent's kernel cannot do to packets; see package packets.
func (c *Client) Lacks(ctx context.Context) (lacks []harness.Capability, err error) {
	err = c.do(ctx, http.MethodGet, "/lacks", nil, &lacks)
	return lacks, err
}

func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("agent: %s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(said)))
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("agent: %s %s: %w", method, path, err)
	}
	return nil
}
