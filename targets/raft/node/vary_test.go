package node

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// A node that varies is set anew at each start, in the same way for the same seed, and always so that it can run.
func TestVary(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		var first []string
		for life := range 2 {
			dir := t.TempDir()
			for start := range 5 {
				c := DefaultConfig()
				c.ElectionTimeout, c.Seed, c.Vary, c.Dir = time.Duration(75+10*seed)*time.Millisecond, seed, true, dir
				require.NoError(t, c.vary())
				c.ID, c.Peers, c.Client = 1, map[core.ID]string{1: "a"}, "b"
				require.NoError(t, c.validate(), "%+v", c)
				seen[c.settings()] = true
				if life == 0 {
					first = append(first, c.settings())
				} else {
					require.Equal(t, first[start], c.settings())
				}
			}
		}
	}
	require.Greater(t, len(seen), 60)
	c := DefaultConfig()
	c.Dir = filepath.Join(t.TempDir(), "file", "below")
	require.NoError(t, c.vary(), "the directory is made")
}
