// Package raft is the built-in Raft as a target: how to launch `sunder raftd`, and a client for
// its HTTP API.
package raft

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/raft/node"
)

// The ports of a node.
const (
	portPeer   = "peer"
	portClient = "client"
)

// Target launches nodes of the built-in Raft.
type Target struct {
	// Program is the program that has the raftd command; if empty, the fleet's or, on one that has none, the one that
	// runs. A program of one's own has it by calling [ServeIfNode] first of all.
	Program string
	// Flags are passed to raftd, beside what the placement says.
	Flags []string
	// Times is how Flags and raftd's defaults set the nodes.
	Times history.Timing
}

// Timing implements [harness.Timed].
func (t *Target) Timing() history.Timing { return t.Times }

// Ports implements [harness.Target].
func (t *Target) Ports() []string { return []string{portPeer, portClient} }

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	var peers []string
	client := ""
	for _, m := range p.Members {
		peers = append(peers, m.Name+"="+m.Addr[portPeer])
		if m.Name == p.Node {
			client = m.Addr[portClient]
		}
	}
	command := []string{
		cmp.Or(t.Program, p.Program), "raftd", "--id", p.Node, "--peers", strings.Join(peers, ","), "--client", client,
		"--dir", p.DataDir, "--seed", fmt.Sprint(p.Seed),
	}
	return harness.NodeSpec{Name: p.Node, Command: append(command, t.Flags...), DataDir: p.DataDir}
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return newClient(n.Addr(portClient)), nil
}

// Can implements [harness.Target].
func (t *Target) Can() []harness.Capability {
	return []harness.Capability{harness.KV, harness.Leader, harness.MoveLeader}
}

// Operate implements [harness.Operated].
func (t *Target) Operate(ctx context.Context, n harness.Node, what harness.Capability) error {
	if what != harness.MoveLeader {
		return fmt.Errorf("%s: %w", what, harness.ErrNotApplied) // nothing was asked
	}
	c := newClient(n.Addr(portClient))
	defer c.Close()
	var answer node.Reply
	code, err := c.do(ctx, http.MethodPost, "/transfer", nil, &answer)
	switch {
	case err != nil:
		return err
	case code == http.StatusConflict: // it looks before it begins
		return fmt.Errorf("%s: %w", answer.Error, harness.ErrNotApplied)
	case code != http.StatusOK:
		return fmt.Errorf("transfer: %d: %s", code, answer.Error)
	}
	return nil
}

// Checkers implements [harness.Judged].
func (t *Target) Checkers() []string { return []string{"state", "leader"} }

// Ready implements [harness.Target].
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	return harness.KnowsLeader(ctx, t, n)
}

// Status implements [harness.Reporter].
func (t *Target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	c := newClient(n.Addr(portClient))
	defer c.Close()
	var s node.Status
	code, err := c.do(ctx, http.MethodGet, "/status", nil, &s)
	if err != nil {
		return history.Status{}, err
	}
	if code != http.StatusOK {
		return history.Status{}, fmt.Errorf("status: %d", code)
	}
	return history.Status{
		Role:    s.Role,
		Term:    s.Term,
		Leader:  s.Leader,
		Commit:  s.Commit,
		Applied: s.Applied,
		Hash:    fmt.Sprintf("%016x", s.Hash),
	}, nil
}

// Claim implements [harness.Witness]: a node logs one line when it becomes leader.
func (t *Target) Claim(line []byte) (term uint64, ok bool) {
	if !bytes.Contains(line, []byte(`"became leader"`)) {
		return 0, false
	}
	var said struct {
		Msg  string
		Term uint64
	}
	if json.Unmarshal(line, &said) != nil || said.Msg != "became leader" {
		return 0, false
	}
	return said.Term, true
}

// told are the messages of a node's log that say more than that it leads.
var told = map[string]string{
	"became candidate":   history.ToldCandidate,
	"became follower":    history.ToldFollower,
	"voted":              history.ToldVote,
	"sends snapshot":     history.ToldSendsSnapshot,
	"installed snapshot": history.ToldInstalledSnapshot,
}

// Tells implements [harness.Teller].
func (t *Target) Tells() []string { return slices.Sorted(maps.Values(told)) }

// Tell implements [harness.Teller].
func (t *Target) Tell(line []byte) (what history.Told, ok bool) {
	var said struct {
		Msg  string
		Term uint64
	}
	if json.Unmarshal(line, &said) != nil {
		return what, false
	}
	what = history.Told{What: told[said.Msg], Term: said.Term}
	return what, what.What != ""
}

// Client talks to one node. It never retries.
type Client struct {
	base      string
	transport *http.Transport
	http      http.Client
}

func newClient(addr string) *Client {
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
	var r node.Reply
	code, err := c.do(ctx, http.MethodGet, keyPath(key), nil, &r)
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
	var r node.Reply
	code, err := c.do(ctx, http.MethodPut, keyPath(key), node.Request{Value: value}, &r)
	if err == nil && code != http.StatusOK {
		err = answerError(code, r)
	}
	return history.Stamp{}, err
}

// CompareAndSet sets a key if it holds old. A [harness.Refusal] says that it holds another value, or none.
func (c *Client) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	var r node.Reply
	code, err := c.do(ctx, http.MethodPost, keyPath(key)+"/cas", node.Request{Old: old, Value: value}, &r)
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
func answerError(code int, r node.Reply) error {
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

func (c *Client) do(ctx context.Context, method, path string, body, answer any) (code int, err error) {
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
