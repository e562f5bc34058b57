package harness_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// lateFleet tells of the end of its nodes once there is time for it, as a busy machine does.
type lateFleet struct {
	*harnesstest.Fake
	time chan struct{}
}

func (f lateFleet) Launch(ctx context.Context, s harness.NodeSpec, logs io.Writer) (harness.Node, error) {
	n, err := f.Fake.Launch(ctx, s, logs)
	return lateNode{n, f.time}, err
}

func (f lateFleet) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	return f.Fake.Status(ctx, n.(lateNode).Node)
}

type lateNode struct {
	harness.Node
	time chan struct{}
}

func (n lateNode) Exited() <-chan struct{} {
	inner, late := n.Node.Exited(), make(chan struct{})
	go func() {
		<-inner
		<-n.time
		close(late)
	}()
	return late
}

// A node that is killed and started again at once ended because we asked for it, however late its end is noticed; and
// what ends by itself after that is told.
func TestAKillIsNoExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var exits []string
		fleet := lateFleet{harnesstest.New(harnesstest.Mistakes{}), make(chan struct{})}
		c := harness.NewCluster(fleet, fleet, harness.NodeNames(3), func(node string) { exits = append(exits, node) })
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		in := c.NewInjection()
		require.NoError(t, doKill(t.Context(), in, "n2"))
		require.NoError(t, in.Heal(t.Context()))
		close(fleet.time)
		synctest.Wait()
		require.Empty(t, exits)
		require.Equal(t, harness.NodeNames(3), c.View(t.Context()).Up)

		require.NoError(t, c.Node("n2").Kill(t.Context())) // not as a fault does it
		synctest.Wait()
		require.Equal(t, []string{"n2"}, exits)
		require.Equal(t, []string{"n1", "n3"}, c.View(t.Context()).Up)
		require.NoError(t, c.Close())
		synctest.Wait()
		require.Equal(t, []string{"n2"}, exits)
	})
}
