package reports

import (
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func aSuite() Suite {
	return Suite{Name: "nightly", Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Took: 90 * time.Second, Outcomes: []Outcome{
		{Name: "raft seed 1", Class: "raft.local", Status: Passed, Expect: "valid", Why: "all well", Command: "sunder run --seed 1", Took: time.Second},
		{Name: "raft bug=x", Class: "raft.local", Status: Failed, Expect: "invalid", Why: "a violation was expected, and none was found", Command: "sunder run --bug x"},
		{Name: "etcd", Class: "etcd.docker", Status: Unknown, Expect: "valid", Why: "out of its time budget <b>&\x00\x1b[31m]]>", Command: "sunder run | x ```"},
		{Name: "consul", Class: "consul.docker", Status: Broken, Expect: "valid", Why: "no Docker\nat all", Command: "sunder run", Dir: "20261122-x"},
		{Name: "late", Class: "consul.docker", Status: NotRun, Expect: "valid", Why: "no time"},
	}}
}

// A suite has its directory for itself, and what it leaves is whole at any time.
func TestASuiteClaimsItsDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, aSuite().Claim(dir))
	require.ErrorIs(t, aSuite().Claim(dir), fs.ErrExist)
	s, err := ReadSuite(dir)
	require.NoError(t, err)
	require.Equal(t, aSuite(), s)
	require.Equal(t, Unknown, Suite{}.Worst())
	require.Equal(t, NotRun, Suite{Outcomes: []Outcome{{Status: Passed}, {Status: NotRun}}}.Worst())
}
