package described

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is wrong with a driver is said before anybody calls.
func TestBrokenDrivers(t *testing.T) {
	for mode, want := range map[string]string{
		"broken": "the driver of n1 has ended: Traceback: no such module",
		"loud":   `its first line must be {"type": "ready"}, and is "Welcome!"`,
	} {
		require.ErrorContains(t, driverOf(t, mode).Ready(t.Context(), node{addr: "127.0.0.1:1"}), want)
	}
}

func TestLastWords(t *testing.T) {
	var l lastWords
	for range 100 {
		_, err := io.WriteString(&l, "word after word\n")
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(l.String()), mostWords)
	require.True(t, strings.HasSuffix(l.String(), "word after word"))
}
