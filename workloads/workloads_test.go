package workloads

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOptionsAreRead(t *testing.T) {
	set := flag.NewFlagSet("run", flag.ContinueOnError)
	make := Default()["register"].New(set)
	require.NoError(t, set.Parse([]string{"--keys", "3", "--mix", "read=1,write=2"}))
	w, err := make(7)
	require.NoError(t, err)
	require.Equal(t, RegisterOptions{Keys: 3, OpsPerKey: 200, Mix: Mix{"read": 1, "write": 2}, Seed: 7}, w.(*register).RegisterOptions)
	require.Equal(t, "read=1,write=2", set.Lookup("mix").Value.String())
	for _, bad := range []string{"read", "read=often", ""} {
		require.Error(t, set.Set("mix", bad))
	}
}
