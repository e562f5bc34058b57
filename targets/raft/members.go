package raft

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/kvhttp"
)

// RemoveMember implements [harness.Membered]. Only the leader agrees, once it is committed.
func (t *Target) RemoveMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return change(ctx, http.MethodDelete, asked, m, "")
}

// AddMember implements [harness.Membered]: as a learner (thesis §4.2.1).
func (t *Target) AddMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return change(ctx, http.MethodPut, asked, m, "")
}

// PromoteMember implements [harness.Membered]. The leader refuses as long as the learner is behind.
func (t *Target) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return change(ctx, http.MethodPost, asked, m, "/promote")
}

// change asks one node for a change of members.
func change(ctx context.Context, method string, asked harness.Node, m harness.Member, what string) error {
	c := kvhttp.NewClient(asked.Addr(portClient))
	defer c.Close()
	var answer kvhttp.Reply
	code, err := c.Do(ctx, method, "/members/"+serverID(m.Name, m.Incarnation)+what, nil, &answer)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s says %d: %s", asked.Name(), code, answer.Error)
	}
	return err
}

// serverID names a server: its place, and which of those that stood there it is.
func serverID(name string, incarnation int) string {
	if incarnation > 0 {
		return fmt.Sprintf("%s.%d", name, incarnation)
	}
	return name
}
