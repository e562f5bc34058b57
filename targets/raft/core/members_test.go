package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChangesOfMembers(t *testing.T) {
	m := Members{Voters: []ID{1, 2}}
	second := NewID(2, 1)
	for _, step := range []struct {
		change Change
		want   string
		err    string
	}{
		{Change{AddLearner, 3}, "[n1 n2] and [n3] learn", ""},
		{Change{AddLearner, 3}, "[n1 n2] and [n3] learn", ""},
		{Change{AddLearner, second}, "", "n2 stands where n2.1 is to come"},
		{Change{Promote, 4}, "", "n4 is no learner"},
		{Change{Promote, 3}, "[n1 n2 n3]", ""},
		{Change{Promote, 3}, "[n1 n2 n3]", ""},
		{Change{Remove, 2}, "[n1 n3]", ""},
		{Change{Remove, 2}, "[n1 n3]", ""},
		{Change{AddLearner, second}, "[n1 n3] and [n2.1] learn", ""},
		{Change{Remove, 1}, "[n3] and [n2.1] learn", ""},
		{Change{Remove, 3}, "", "n3 is the last voter"},
		{Change{Remove, second}, "[n3]", ""},
		{Change{0, 1}, "", "unknown change"},
	} {
		next, err := m.with(step.change)
		if step.err != "" {
			require.ErrorContains(t, err, step.err)
			require.Equal(t, m, next)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, step.want, next.String())
		m = next
	}
}

// TestTheMistakeOf2015 plays the counterexample of Ongaro's mail of 10 July 2015 to raft-dev: of four servers, one
// leader adds a fifth, and the next one removes the first leader. If the second may do so before it has committed an
// entry of its own term, majorities that have nobody in common elect leaders, and what was committed is lost.
func TestTheMistakeOf2015(t *testing.T) {
	for name, bug := range map[string]Bug{"right": "", "with the bug": ChangeBeforeNoop} {
		t.Run(name, func(t *testing.T) {
			c, fifth := newCluster(4, plain, withBug(bug)), NewID(5, 1)
			c.campaign(1)
			require.NoError(t, c.nodes[1].Change(Change{AddLearner, fifth}))
			c.join(fifth)
			c.settle(1)
			c.deliver(everything)
			for range 2 { // until it has all
				c.tick(1, 4)
				c.deliver(everything)
			}
			apart := func(sides ...[]ID) {
				c.heal()
				for i, side := range sides {
					for j, other := range sides {
						for _, a := range side {
							for _, b := range other {
								c.cut[[2]ID{a, b}] = i != j
							}
						}
					}
				}
			}
			apart([]ID{1, fifth}, []ID{2, 3, 4})
			require.NoError(t, c.nodes[1].Change(Change{Promote, fifth}))
			c.settle(1)
			c.deliver(everything)
			require.True(t, c.nodes[fifth].Status().Members.Votes(fifth), "it holds at once where it is stored")

			c.nodes[2].Raft.campaign()
			c.settle(2)
			c.deliver(func(m Message) bool { return m.Type == Vote || m.Type == VoteReply })
			apart([]ID{1, fifth, 4}, []ID{2, 3}) // so that n4 gets nothing
			err := c.nodes[2].Change(Change{Remove, 1})
			c.settle(2)
			c.deliver(everything)
			committed := c.nodes[2].Status().Committed
			c.campaign(1) // finds out about the term
			c.campaign(1)
			if bug == "" {
				require.ErrorIs(t, err, ErrTooEarly)
				require.Less(t, committed, c.nodes[2].Status().LastIndex, "of four servers, two have it")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.nodes[2].Status().LastIndex, committed)
			require.Equal(t, Leader, c.nodes[1].Status().Role)
			was, _ := c.nodes[2].Entry(committed)
			is, _ := c.nodes[1].Entry(committed)
			require.NotEqual(t, was.Term, is.Term, "what is committed is not in its log")
		})
	}
}
