package main

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/described"
)

// testOf returns a test of the store as kv.yaml describes it, whose nodes have some more arguments.
func testOf(t *testing.T, flags ...string) harness.Test {
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", "kv", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	d, err := described.Read("kv.yaml")
	require.NoError(t, err)
	target, err := described.New(*d, flags...)
	require.NoError(t, err)
	return harness.Test{Target: target, TimeLimit: 15 * time.Second, Seed: 1, Dir: t.TempDir()}
}

// Five nodes keep what they promise, under partitions, kills, pauses and delays.
func TestTheStore(t *testing.T) {
	sunder.Require(t, testOf(t))
}

// A store that answers reads from any node's own state does not, and that is found.
func TestLocalReadsAreFound(t *testing.T) {
	test := testOf(t, "--reads=local")
	test.FailFast = true
	o, err := sunder.Run(t.Context(), test)
	require.NoError(t, err)
	require.Equal(t, checkers.Invalid, o.Verdict, o.Summary.Why)
}
