package history

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Strings with the same end, the same length, or more of them than are remembered, keep numbers of their own.
func TestSymbols(t *testing.T) {
	var names []string
	for i := range 3 << recentBits {
		names = append(names, fmt.Sprint("k", i))
	}
	for _, end := range []string{"", "12345678", "\x00", "\x00\x00"} {
		for _, begin := range []string{"", "a", "b", "aa", "ab", "\x00"} {
			names = append(names, begin+end+"_")
		}
	}
	var s symbols
	ids := make(map[string]uint32)
	for range 2 {
		for _, name := range names {
			id := s.id([]byte(name))
			if known, ok := ids[name]; ok {
				require.Equal(t, known, id, "%q", name)
			}
			ids[name] = id
			require.Equal(t, name, s.text(id))
		}
	}
	require.Len(t, s.texts, len(ids)+1, "the empty string is the first")
}
