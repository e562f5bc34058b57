//go:build unix

package docker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/fleettest"
	"github.com/sunder-dev/sunder/targets/raft"
)

func TestFleet(t *testing.T) {
	image, err := ownImage()
	if err != nil {
		anEngine(t) // skips where there is none
	}
	require.NoError(t, err)
	fleettest.Test(t, fleettest.Config{New: func() (harness.Fleet, harness.Target, error) {
		target, err := raft.New(nil)
		require.NoError(t, err)
		return New(anEngine(t), Config{Name: t.Name(), Agent: image, Image: image, Program: AgentProgram}), target, nil
	}})
}
