package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fragile is a target that is to be spared kills.
type fragile struct{ Target }

func (fragile) Can() []Capability   { return []Capability{KV} }
func (fragile) Spare() []Capability { return []Capability{NodeKill} }

func TestWhatATargetIsSpared(t *testing.T) {
	require.Equal(t, []Capability{LinkCut, KV}, CanOn([]Capability{LinkCut, NodeKill}, fragile{}))
	require.NoError(t, FitSpared("nemesis x", []Capability{LinkCut}, "target y", fragile{}))
	require.EqualError(t, FitSpared("nemesis x", []Capability{LinkCut, NodeKill}, "target y", fragile{}),
		"nemesis x needs node.kill, which target y does not promise to come through")
}

func TestFit(t *testing.T) {
	can := []Capability{LinkCut, NodeKill}
	require.NoError(t, Fit("nemesis x", []Capability{NodeKill, LinkCut, NodeKill}, "fleet y", can))
	require.NoError(t, Fit("nemesis x", nil, "fleet y", nil))
	err := Fit("nemesis x", []Capability{NodePause, LinkLoss, NodePause, NodeKill}, "fleet y", can)
	require.EqualError(t, err, "nemesis x needs link.loss and node.pause, which fleet y does not have")
	require.ErrorIs(t, err, ErrUnsupported)
}
