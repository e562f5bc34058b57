package child

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child/childtest"
)

// A terminal's Ctrl-C goes to the whole group of processes. Runs are in one of their own, as they are told by the
// suite, and a second signal would end them at once.
func TestRunsHaveAGroupOfTheirOwn(t *testing.T) {
	end, err := Run(t.Context(), childtest.Shim(t, "cut -d' ' -f5 /proc/$$/stat >&2"), t.TempDir(), nil) // pgrp, proc(5)
	require.NoError(t, err)
	require.NotEqual(t, fmt.Sprint(syscall.Getpgrp()), end.Stderr)
	require.Regexp(t, `^\d+$`, end.Stderr)
}

func TestQuote(t *testing.T) {
	require.Equal(t, "partition:halves@leader,kill", Quote("partition:halves@leader,kill"))
	require.Equal(t, `''`, Quote(""))
	require.Equal(t, `'a b'`, Quote("a b"))
	require.Equal(t, `'it'\''s'`, Quote("it's"))
}
