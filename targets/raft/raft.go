// Package raft is the built-in Raft as a target: how to launch `sunder raftd`, and a client for
// its HTTP API.
package raft

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/kvhttp"
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
		cmp.Or(
			t.Program,
			p.Program,
		), "raftd", "--id", serverID(p.Node, p.Incarnation), "--peers", strings.Join(peers, ","), "--client", client,
		"--dir", p.DataDir, "--seed", fmt.Sprint(p.Seed),
	}
	return harness.NodeSpec{Name: p.Node, Command: append(command, t.Flags...), DataDir: p.DataDir}
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(_ context.Context, n harness.Node) (harness.Client, error) {
	return kvhttp.NewClient(n.Addr(portClient)), nil
}

// Can implements [harness.Target].
func (t *Target) Can() []harness.Capability {
	return []harness.Capability{harness.KV, harness.CAS, harness.Leader, harness.MoveLeader, harness.ReplaceMember}
}

// Operate implements [harness.Operated].
func (t *Target) Operate(ctx context.Context, n harness.Node, what harness.Capability) error {
	if what != harness.MoveLeader {
		return fmt.Errorf("%s: %w", what, harness.ErrNotApplied) // nothing was asked
	}
	c := kvhttp.NewClient(n.Addr(portClient))
	defer c.Close()
	var answer kvhttp.Reply
	code, err := c.Do(ctx, http.MethodPost, "/transfer", nil, &answer)
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
	c := kvhttp.NewClient(n.Addr(portClient))
	defer c.Close()
	var s node.Status
	code, err := c.Do(ctx, http.MethodGet, "/status", nil, &s)
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
