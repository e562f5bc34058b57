package harness_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// A member that is replaced is none while the fault lasts, comes back with an empty disk, as one that joins, and
// belongs to the cluster again.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		var said [][]string
		c.OnMembers = func(nodes []string) { said = append(said, nodes) }
		in := c.NewInjection()
		require.NoError(t, in.Replace(t.Context(), "n2"))
		evidence, err := in.Evidence()
		require.NoError(t, err)
		require.JSONEq(t, `{"replaced":["n2"],"removal":"agreed to"}`, string(evidence))
		require.Equal(t, []string{"n1", "n3", "n4", "n5"}, c.Members())
		require.NoError(t, in.Heal(t.Context()))
		require.Equal(t, harness.NodeNames(5), c.Members())
		require.Equal(t, [][]string{{"n1", "n3", "n4", "n5"}, harness.NodeNames(5)}, said)
		require.Len(t, fake.Launched(), 1)
		require.Equal(t, "n2", fake.Launched()[0].Name)
		require.Equal(t, []string{"joins"}, fake.Launched()[0].Command)
		require.NoError(t, c.Serving(t.Context()))
		require.NoError(t, in.Heal(t.Context()), "there is nothing left to heal")
	})
}

// selfish is a target of which only the new member itself, which leads by then, can say that it counts.
type selfish struct {
	*harnesstest.Fake
	promoted harness.Member
	by       harness.Node
}

func (s *selfish) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	if asked.Name() != m.Name {
		s.by = asked
		return errors.New("it does not lead")
	}
	s.promoted = m
	return s.Fake.PromoteMember(ctx, s.by, m)
}

// A new member that leads before anybody was told that it counts is asked, too; and it is told from the one before it.
func TestANewMemberThatLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		target := &selfish{Fake: fake}
		c := harness.NewCluster(target, fake, harness.NodeNames(3), func(string) {})
		defer c.Close()
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		require.NoError(t, c.Serving(t.Context()))
		in := c.NewInjection()
		require.NoError(t, in.Replace(t.Context(), "n2"))
		require.NoError(t, in.Heal(t.Context()))
		require.Equal(t, harness.NodeNames(3), c.Members())
		require.Equal(t, "n2", target.promoted.Name)
		require.Equal(t, 1, target.promoted.Incarnation)
	})
}

// One member is replaced at a time, not the last of the version that was launched, and never so that no majority of all
// nodes is left.
func TestWhatIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		c := harness.NewCluster(fake, fake, harness.NodeNames(2), func(string) {})
		defer c.Close()
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		in := c.NewInjection()
		require.ErrorContains(t, in.Replace(t.Context(), "n1"), "without n1 there would be 1 members, which is no majority of 2 nodes")
		require.True(t, in.DidNothing())
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		first, second, others := c.NewInjection(), c.NewInjection(), c.NewInjection()
		require.NoError(t, others.RunVersion(t.Context(), "v2", "n1", "n2", "n3", "n4"))
		require.ErrorContains(t, second.Replace(t.Context(), "n5"), "without n5 no member would be of the version that was launched")
		require.NoError(t, first.Replace(t.Context(), "n2"))
		require.Equal(t, []string{"n2"}, c.View(t.Context()).Out)
		require.ErrorContains(t, second.Replace(t.Context(), "n3"), "[n2] is being replaced, and one node is at a time")
		require.True(t, second.DidNothing())
		for _, in := range []*harness.Injection{second, first, others} {
			require.NoError(t, in.Heal(t.Context()))
		}
		require.NoError(t, c.Serving(t.Context()))
	})
}

// Without a quorum nothing is agreed to. Who was to be removed is removed, and comes back, once there is one: at the
// latest when all faults are healed, whichever of them was healed first.
func TestReplacedWithoutAQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		kill, replaced := c.NewInjection(), c.NewInjection()
		require.NoError(t, doKill(t.Context(), kill, "n1"))
		require.NoError(t, doKill(t.Context(), kill, "n3", "n4"))
		require.NoError(t, replaced.Replace(t.Context(), "n2"))
		evidence, err := replaced.Evidence()
		require.NoError(t, err)
		require.Contains(t, string(evidence), `"removal":"in doubt`)
		require.Len(t, c.Members(), 5)
		require.NoError(t, replaced.Heal(t.Context()), "it is left for later")
		require.NoError(t, kill.Heal(t.Context()))
		require.Empty(t, fake.Launched())
		require.NoError(t, c.Revive(t.Context()))
		require.Len(t, fake.Launched(), 1)
		require.Len(t, c.Members(), 5)
		require.NoError(t, c.Serving(t.Context()))
	})
	synctest.Test(t, func(t *testing.T) { // there is never one
		c, _ := launched(t, harnesstest.Mistakes{NoRecovery: true})
		defer c.Close()
		kill, replaced := c.NewInjection(), c.NewInjection()
		require.NoError(t, replaced.Replace(t.Context(), "n2"))
		require.NoError(t, doKill(t.Context(), kill, "n1", "n3"))
		require.NoError(t, kill.Heal(t.Context()))
		require.NoError(t, replaced.Heal(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, c.Revive(ctx), "n2 cannot be added: there is no quorum")
	})
}

// A new member that ends because one that has not heard of it turned it away is started again, and that is no end of
// its own; one that ends later is.
func TestANewMemberThatIsTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{TurnedAway: 2})
		var ended []string
		c := harness.NewCluster(fake, fake, harness.NodeNames(5), func(n string) { ended = append(ended, n) })
		defer c.Close()
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		in := c.NewInjection()
		require.NoError(t, in.Replace(t.Context(), "n2"))
		require.NoError(t, in.Heal(t.Context()))
		require.NoError(t, c.Serving(t.Context()))
		require.Len(t, c.Members(), 5)
		require.Empty(t, ended)
		require.NoError(t, c.Node("n2").Kill(t.Context())) // not by a fault
		synctest.Wait()
		require.Equal(t, []string{"n2"}, ended)
	})
}

// A node that another fault has killed, too, comes back as a new member when that one is healed.
func TestReplacedAndKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{})
		defer c.Close()
		kill, replaced := c.NewInjection(), c.NewInjection()
		require.NoError(t, replaced.Replace(t.Context(), "n2"))
		require.ErrorContains(t, doKill(t.Context(), kill, "n2"), "[n2] were all down already")
		require.NoError(t, replaced.Heal(t.Context()))
		require.Empty(t, fake.Launched())
		require.NoError(t, kill.Heal(t.Context()))
		require.Len(t, fake.Launched(), 1)
		require.Len(t, c.Members(), 5)
	})
}

// A member that is not replaced keeps its arguments, and a target whose members stay is not asked.
func TestWhoCannotBeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		c := harness.NewCluster(harnesstest.Leaderless{Fake: fake}, fake, harness.NodeNames(3), func(string) {})
		require.ErrorIs(t, c.NewInjection().Replace(t.Context(), "n1"), harness.ErrUnsupported)
	})
}
