package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Leadership is handed over in every cluster that works, whoever is asked; a candidate that nobody asked for disturbs
// nobody who hears the leader.
func TestTransfer(t *testing.T) {
	c := newCluster(5)
	require.Equal(t, None, c.nodes[1].Transfer(), "nobody leads")
	c.campaign(1)
	term := c.nodes[1].Term
	to := c.nodes[1].Transfer()
	require.NotEqual(t, None, to)
	require.Equal(t, to, c.nodes[1].Transfer(), "it is on its way")
	require.False(t, c.propose(1, "x"))
	c.settle(1)
	c.deliver(everything)
	require.Equal(t, Leader, c.nodes[to].Status().Role)
	require.Equal(t, term+1, c.nodes[to].Term)
	require.Equal(t, to, c.nodes[1].Status().Leader)
	require.True(t, c.propose(to, "x"))
	c.deliver(everything)

	other := ID(5)
	if to == other {
		other = 4
	}
	c.nodes[other].elect(false)
	c.settle(other)
	c.deliver(everything)
	require.Equal(t, Leader, c.nodes[to].Status().Role, "they hear it, and do not vote")
}
