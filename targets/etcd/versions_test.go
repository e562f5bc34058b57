package etcd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// Versions that may be mixed are one minor version apart; flags follow the version of the member.
func TestMix(t *testing.T) {
	target, err := New("v3.5.35", false, nil)
	require.NoError(t, err)
	require.NotContains(t, target.Can(), harness.MixVersions)
	require.NotContains(t, target.Needs(), harness.NodeRelaunch)
	require.ErrorContains(t, target.mix([]string{"v3.7.0"}), "v3.5.35 and v3.7.0 do not fit together")
	require.ErrorContains(t, target.mix([]string{"latest"}), `no version "latest"`)
	require.ErrorContains(t, target.mix([]string{"v3.4.30"}), "do not fit together", "it would not start")
	require.NoError(t, target.mix([]string{"v3.5.2", "v3.6.16"}))
	require.Contains(t, target.Can(), harness.MixVersions)
	require.Contains(t, target.Needs(), harness.NodeRelaunch)
	p := placement()
	require.Contains(t, target.Spec(p).Command, "--experimental-snapshot-catchup-entries=500")
	p.Version = "v3.6.16"
	require.Contains(t, target.Spec(p).Command, "--snapshot-catchup-entries=500")
}
