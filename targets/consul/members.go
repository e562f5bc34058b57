package consul

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/sunder-dev/sunder/harness"
)

// peers are the servers that Raft counts with, as Consul tells of them.
type peers struct {
	Servers []struct {
		Address string
		Voter   bool
	}
}

// RemoveMember implements [harness.Membered], as 'consul operator raft remove-peer' does it.
func (t *Target) RemoveMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	there, _, err := t.voter(ctx, asked, m)
	if err != nil || !there {
		return err
	}
	at := "http://" + asked.Addr(portHTTP) + "/v1/operator/raft/peer?address=" + url.QueryEscape(m.Addr[portRPC])
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, at, nil)
	if err != nil {
		return err
	}
	response, err := t.status.Do(r)
	if err != nil {
		return fmt.Errorf("remove %s: %w", m.Name, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what there is
		return fmt.Errorf("remove %s: %s: %q", m.Name, response.Status, said)
	}
	return nil
}

// AddMember implements [harness.Membered]: there is nothing to ask for. The leader adds a server that joins by gossip.
func (t *Target) AddMember(context.Context, harness.Node, harness.Member) error { return nil }

// PromoteMember implements [harness.Membered]: the leader promotes a server that has been healthy for a while.
func (t *Target) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	there, voter, err := t.voter(ctx, asked, m)
	switch {
	case err != nil:
		return err
	case !there:
		return errors.New("the leader has not added it yet")
	case !voter:
		return errors.New("it has no vote yet")
	}
	return nil
}

// voter asks the leader, by way of a server, whether another one is among those of Raft, and has a vote.
func (t *Target) voter(ctx context.Context, asked harness.Node, m harness.Member) (there, votes bool, err error) {
	var p peers
	if _, err := get(ctx, t.status, asked.Addr(portHTTP), "/v1/operator/raft/configuration", &p); err != nil {
		return false, false, fmt.Errorf("list peers: %w", err)
	}
	for _, s := range p.Servers {
		if s.Address == m.Addr[portRPC] {
			return true, s.Voter, nil
		}
	}
	return false, false, nil
}
