package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFit(t *testing.T) {
	can := []Capability{LinkCut, NodeKill}
	require.NoError(t, Fit("nemesis x", []Capability{NodeKill, LinkCut, NodeKill}, "fleet y", can))
	require.NoError(t, Fit("nemesis x", nil, "fleet y", nil))
	err := Fit("nemesis x", []Capability{NodePause, LinkLoss, NodePause, NodeKill}, "fleet y", can)
	require.EqualError(t, err, "nemesis x needs link.loss and node.pause, which fleet y does not have")
	require.ErrorIs(t, err, ErrUnsupported)
}
