//go:build unix

package docker

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/agent"
)

// BenchmarkShape measures how long it takes to cut a cluster of five in two: until the last rule is
// in place, and from the first to the last; and what it takes to unplug two nodes one way or the other.
func BenchmarkShape(b *testing.B) {
	p := newPods(b, 5, nil)
	cut, mend := map[harness.Link]harness.Impairment{}, map[harness.Link]harness.Impairment{}
	for _, minority := range []string{"n1", "n2"} {
		for _, other := range []string{"n3", "n4", "n5"} {
			for _, l := range (harness.Link{From: minority, To: other}).Both() {
				cut[l], mend[l] = harness.Impairment{Drop: true}, harness.Impairment{}
			}
		}
	}
	b.Run("agents", func(b *testing.B) {
		var skew, worst, slowest time.Duration
		for b.Loop() {
			decided := time.Now()
			said, err := p.shape(b.Context(), cut)
			slowest = max(slowest, time.Since(decided))
			require.NoError(b, err)
			s := spreadOf(said)
			skew += s
			worst = max(worst, s)
			b.StopTimer()
			require.NoError(b, p.Shape(b.Context(), mend))
			b.StartTimer()
		}
		b.ReportMetric(float64(skew.Microseconds())/float64(b.N)/1000, "skew-ms/op")
		b.ReportMetric(float64(worst.Microseconds())/1000, "worst-skew-ms")
		b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
	})
	b.Run("network-disconnect", func(b *testing.B) {
		for _, name := range []string{"n1", "n2"} {
			p.nodes[name] = &dockerNode{fleet: p.Fleet, name: name, pod: p.pods[name]}
		}
		for b.Loop() {
			var wait sync.WaitGroup
			for _, name := range []string{"n1", "n2"} {
				wait.Go(func() {
					if err := p.engine.client.NetworkDisconnect(b.Context(), p.network, p.pods[name].id, true); err != nil {
						b.Error(err)
					}
				})
			}
			wait.Wait()
			b.StopTimer()
			for _, name := range []string{"n1", "n2"} {
				require.NoError(b, p.nodes[name].(*dockerNode).Plug(b.Context()))
			}
			b.StartTimer()
		}
	})
}

func spreadOf(said []agent.Shaped) time.Duration {
	first, last := said[0].InForce, said[0].InForce
	for _, s := range said {
		first, last = min(first, s.InForce), max(last, s.InForce)
	}
	return time.Duration(last - first)
}
