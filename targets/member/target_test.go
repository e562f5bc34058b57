package member

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClaims(t *testing.T) {
	term, ok := (&Target{}).Claim([]byte(`{"time":"2026-11-28T10:00:00Z","level":"INFO","msg":"became leader","term":7}`))
	require.True(t, ok)
	require.Equal(t, uint64(7), term)
	for _, line := range []string{`{"msg":"serving"}`, `"became leader"`, `{"msg":"x","said":"became leader"}`} {
		_, ok := (&Target{}).Claim([]byte(line))
		require.False(t, ok, line)
	}
}

func TestMembersThatCannotBe(t *testing.T) {
	for want, spoil := range map[string]func(*Command){
		"is not of the form n1=host:port": func(c *Command) { c.peers = "n1" },
		`--id: "n7" is none of --peers`:   func(c *Command) { c.config.ID = "n7" },
		"what n1 remembers: oh":           func(*Command) {},
	} {
		c := Options(flag.NewFlagSet("", flag.ContinueOnError))
		c.config.ID, c.peers, c.config.Dir = "n1", "n1=127.0.0.1:0", t.TempDir()
		spoil(c)
		require.ErrorContains(t, c.Serve(t.Context(), func(string, []string, uint64, json.RawMessage) (Core, error) {
			return nil, errors.New("oh")
		}, os.Stderr), want)
	}
}
