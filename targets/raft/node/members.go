package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/targets/kvhttp"
	"github.com/sunder-dev/sunder/targets/raft/core"
)

// handleMembers answers a request for a change of members, which only a leader takes.
func (n *node) handleMembers(kind core.ChangeKind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := ParseID(r.PathValue("id"))
		if err != nil {
			reply(w, http.StatusBadRequest, kvhttp.Reply{Error: err.Error()})
			return
		}
		if n.cfg.Peers[id.Place()] == "" {
			reply(w, http.StatusBadRequest, kvhttp.Reply{Error: fmt.Sprintf("%v: there is no such place", id)})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), n.cfg.RequestTimeout)
		defer cancel()
		refused := make(chan error, 1)
		var term uint64
		n.do(func() {
			if ctx.Err() != nil {
				refused <- errors.New("it came too late") // nobody waits any more
				return
			}
			term = n.raft.Term
			refused <- n.raft.Change(core.Change{Kind: kind, ID: id})
		})
		select {
		case err := <-refused:
			if err != nil {
				reply(w, http.StatusConflict, kvhttp.Reply{Error: err.Error()})
				return
			}
		case <-n.ctx.Done():
			reply(w, http.StatusGatewayTimeout, kvhttp.Reply{Error: "the node is stopping"})
			return
		}
		// Whatever else this leader has put into its log meanwhile: once it is committed, so is this. One that retires has
		// committed it.
		n.await(ctx, w, func(s core.Status) bool {
			return s.Term == term && s.ChangedAt <= s.Committed && in(kind, id, s.Members)
		})
	}
}

// in says whether a change has been made.
func in(kind core.ChangeKind, id core.ID, m core.Members) bool {
	switch kind {
	case core.AddLearner:
		return m.Learns(id) || m.Votes(id)
	case core.Promote:
		return m.Votes(id)
	default:
		return !m.Learns(id) && !m.Votes(id)
	}
}

func names(ids []core.ID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}

// ParseID reads a server's name as [core.ID] writes it.
func ParseID(name string) (core.ID, error) {
	place, incarnation, _ := strings.Cut(strings.TrimPrefix(name, "n"), ".")
	p, err := strconv.ParseUint(place, 10, 16)
	var i uint64
	if incarnation != "" && err == nil {
		i, err = strconv.ParseUint(incarnation, 10, 31)
	}
	id := core.NewID(uint16(p), int(i))
	if err != nil || p == 0 || id.String() != name {
		return core.None, fmt.Errorf(
			"node %q: nodes are named n1, n2 and so on, and n1.1 is the second at the place of n1",
			name,
		)
	}
	return id, nil
}
