//go:build unix

package local

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
)

// A link that is mended while a probe is on its way ends what has lost something, the probe among it: that is no error of
// the probe.
func TestProbesWhileLinksComeAndGo(t *testing.T) {
	f := New(t.TempDir(), 0)
	require.NoError(t, f.Plan(t.Context(), []string{"n1", "n2"}, []string{"peer"}))
	defer func() { require.NoError(t, f.Close()) }()
	links := []harness.Link{{From: "n1", To: "n2"}, {From: "n2", To: "n1"}}
	ended := make(chan struct{})
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			for {
				select {
				case <-ended:
					return nil
				default:
				}
				if err := f.Probe(t.Context(), links); err != nil {
					return err
				}
			}
		})
	}
	for range 2000 {
		for _, i := range []harness.Impairment{{Drop: true}, {}} {
			require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{links[0]: i, links[1]: i}))
		}
	}
	close(ended)
	require.NoError(t, group.Wait())
}
