package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/sunder-dev/sunder/harness"
)

// peer is a server that Raft counts with, as Consul tells of it.
type peer struct {
	ID      string
	Address string
	Voter   bool
}

// RemoveMember implements [harness.Membered], as 'consul operator raft remove-peer' does it, by the server's id: a
// request that is delivered late must not remove the one that comes in its place.
func (t *Target) RemoveMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	known, err := t.peer(ctx, asked, m)
	if err != nil {
		return err
	}
	if known != nil {
		err := t.operate(ctx, http.MethodDelete, asked, "/v1/operator/raft/peer?id="+url.QueryEscape(known.ID))
		if err != nil {
			return fmt.Errorf("remove %s: %w", m.Name, err)
		}
		t.forget(known.ID, m)
		return nil
	}
	// The leader tells of a configuration that is not committed yet, and may be lost with it (hashicorp/raft,
	// GetConfiguration). What is committed after it proves that it is, too.
	if err := t.operate(ctx, http.MethodDelete, asked, "/v1/kv/sunder/nothing"); err != nil {
		return fmt.Errorf("remove %s: %w", m.Name, err)
	}
	if known, err = t.peer(ctx, asked, m); err == nil && known != nil {
		err = errors.New("its removal was lost")
	}
	return err
}

// AddMember implements [harness.Membered]: there is nothing to ask for. The leader adds a server that joins by gossip.
func (t *Target) AddMember(context.Context, harness.Node, harness.Member) error { return nil }

// PromoteMember implements [harness.Membered]: the leader promotes a server that has been healthy for a while.
func (t *Target) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	known, err := t.peer(ctx, asked, m)
	switch {
	case err != nil:
		return err
	case known == nil || t.forgotten(known.ID, m):
		return errors.New("the leader has not added it yet")
	case !known.Voter:
		return errors.New("it has no vote yet")
	}
	return nil
}

// forget notes that a server was removed, and forgotten tells whether one was.
func (t *Target) forget(id string, m harness.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removed[m.Name] = id
}

func (t *Target) forgotten(id string, m harness.Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.removed[m.Name] == id
}

// peer asks the leader, by way of a server, for the server at an address among those of Raft; nil if there is none.
func (t *Target) peer(ctx context.Context, asked harness.Node, m harness.Member) (*peer, error) {
	var said struct{ Servers []peer }
	if _, err := get(ctx, t.status, asked.Addr(portHTTP), "/v1/operator/raft/configuration", &said); err != nil {
		return nil, fmt.Errorf("list peers: %w", err)
	}
	for _, p := range said.Servers {
		if p.Address == m.Addr[portRPC] {
			return &p, nil
		}
	}
	return nil, nil
}
