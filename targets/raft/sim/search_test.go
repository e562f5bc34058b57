package sim

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// What is found is shrunk, and has the events that led to it.
func TestSearch(t *testing.T) {
	v := Search(t.Context(), 100, Options{Bugs: core.Bugs{core.QuorumMinusOne: true}})
	require.NotNil(t, v)
	require.NotEmpty(t, v.Trace)
	require.Nil(t, Search(t.Context(), 3, Options{Steps: 500}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Nil(t, Search(ctx, 100, Options{Bugs: core.Bugs{core.QuorumMinusOne: true}}))
}

// mute is a server that can do the least that one must, and does not answer messages if it is broken.
type mute struct {
	Server
	broken bool
}

func (m mute) Step(message Message) {
	if !m.broken {
		m.Server.Step(message)
	}
}

// Servers that can do less are not asked for it, and are held to all that they must do.
func TestOtherServers(t *testing.T) {
	begun := 0
	with := func(broken bool) Options {
		return Options{Nodes: 3, Steps: 1000, New: func(uint64) func(Boot) (Server, error) {
			begun++
			return func(b Boot) (Server, error) {
				s, err := newBuiltin(b)
				return mute{s, broken}, err
			}
		}}
	}
	require.Nil(t, Search(t.Context(), 50, with(false)))
	require.Equal(t, 50, begun, "each simulation begins anew")
	v := Search(t.Context(), 1, with(true))
	require.NotNil(t, v)
	require.Equal(t, "Progress", v.Property)
}
