package netns

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// What is asked for is what a link takes: not less, and not a fifth and some milliseconds more, also while the link is
// in use. What was under way when it ended comes at once.
func TestDelaysAreMeasured(t *testing.T) {
	_, f := launch(t, 3)
	l := harness.Link{From: "n1", To: "n2"}
	for _, by := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 400 * time.Millisecond} {
		require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Delay: by}}))
		back := harness.Link{From: "n2", To: "n1"}
		for began := time.Now(); ; { // a busy machine makes a probe late now and then
			took, err := f.Delays(t.Context(), []harness.Link{l, back})
			require.NoError(t, err)
			require.Contains(t, took, l)
			require.GreaterOrEqual(t, took[l], by)
			if took[l] < by+by/5+10*time.Millisecond && took[back] < 10*time.Millisecond { // the way back is as it was
				break
			}
			require.Less(t, time.Since(began), 20*time.Second, "%v", took)
		}
	}
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {Delay: time.Hour}}))
	arrived := make(chan time.Time, 1)
	f.probes.send(f.places["n1"], f.places["n2"], func(at time.Time) { arrived <- at })
	require.NoError(t, f.Shape(t.Context(), map[harness.Link]harness.Impairment{l: {}}))
	<-arrived
}

// A link that loses most of what is sent can be late too, and is seen to be.
func TestADelayOfALossyLink(t *testing.T) {
	c, _ := launch(t, 3)
	links := append(harness.Link{From: "n1", To: "n2"}.Both(), harness.Link{From: "n1", To: "n3"}.Both()...)
	lossy, late := c.NewInjection(), c.NewInjection()
	require.NoError(t, lossy.Impair(t.Context(), harness.Impairment{Loss: 0.8}, links...))
	require.NoError(t, late.Impair(t.Context(), harness.Impairment{Delay: 30 * time.Millisecond}, links...))
	require.NoError(t, late.Heal(t.Context()))
	require.NoError(t, lossy.Heal(t.Context()))
}
