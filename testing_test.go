package sunder_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness"
)

// failing is a test that may fail.
type failing struct {
	*testing.T
	said string
}

// Fatalf ends the goroutine, as that of a test does, by a panic that is caught below.
func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(f)
}

func (f *failing) fails(t *testing.T, test harness.Test) {
	t.Helper()
	defer func() { require.Equal(t, f, recover()) }()
	sunder.Require(f, test)
}

// A violation fails the test with its sentence, and with where its report is.
func TestRequire(t *testing.T) {
	dir := t.TempDir()
	f := &failing{T: t}
	f.fails(t, harness.Test{
		Target: aRaft(t, "stale-read"), TimeLimit: 4 * time.Second, Dir: dir, Lanes: sunder.NoFaults(), Nodes: 3,
	})
	require.Regexp(t, `^invalid: (Stale read|Lost write): n\d `, f.said)
	require.Regexp(t, `\n    n\d returned `, f.said)
	require.Contains(t, f.said, dir)

	f.fails(t, harness.Test{})
	require.Contains(t, f.said, "did not come to its end: a test needs a target")
}
