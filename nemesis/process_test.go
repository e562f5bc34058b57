package nemesis

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// Who is down already is not paused, and is not killed again; a cut that nobody would notice is none.
func TestTheDeadAreLeftAlone(t *testing.T) {
	v := harness.View{Nodes: harness.NodeNames(3), Up: []string{"n1", "n2"}, Leaders: []string{"n3"}}
	r := rand.New(rand.NewPCG(1, 1))
	require.Nil(t, pause.New("", leader).Next(r, v))
	require.Nil(t, kill.New("", leader).Next(r, v))
	require.Equal(t, []string{"n1", "n2"}, kill.New("", all).Next(r, v).Deeds[0].Nodes)
	v.Up = nil
	require.Nil(t, partition.New(halves, "").Next(r, v))
}
