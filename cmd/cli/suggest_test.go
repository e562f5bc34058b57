package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
)

// What was mistyped is named, with what was probably meant.
func TestSuggestions(t *testing.T) {
	for want, args := range map[string][]string{
		`there is no command "rnu"; did you mean run?`:                                              {"rnu"},
		`there is no command "frobnicate"` + "\n":                                                   {"frobnicate"},
		"unknown flag: --nodse; did you mean --nodes?":                                              {"run", "--nodse", "3"},
		`known are bully, consul, etcd, paxos, raft, redis, zookeeper; did you mean etcd?`:          {"run", "--target", "etdc"},
		`known are docker, local, netns, auto; did you mean netns?`:                                 {"run", "--fleet", "netsn"},
		`"--format" flag: text or json, not "jsn"`:                                                  {"run", "--format", "jsn"},
		"unknown workload \"registre\"; known are election, lease, lock, register; did you mean re": {"run", "--workload", "registre"},
	} {
		code, _, stderr := typed(t, args...)
		require.Equal(t, child.Usage, code)
		require.Contains(t, stderr, want)
	}
	code, stdout, _ := typed(t, "--version")
	require.Equal(t, child.Valid, code)
	require.Regexp(t, `^sunder \S+\n$`, stdout)
}
