package suite

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports"
)

var anything = Rules{
	Flag: func(name, _ string) error {
		if name == "bugg" {
			return errors.New(`there is no flag "bugg"`)
		}
		return nil
	},
	Cell: func(c Cell) error {
		if c.Target == "mysql" {
			return errors.New(`unknown target "mysql"`)
		}
		return nil
	},
	Expect: func(e reports.Expectation) error { return e.Check(checkers.Default()) },
}

func TestParse(t *testing.T) {
	s, err := Parse("nightly.yaml", []byte(`
about: what runs at night
flags:
  time-limit: 20s
runs:
  - target: [etcd@v3.6.16, consul]
    fleet: docker
    nemesis: [partition, "kill,pause"]
    seed: [1, 2]
  - flags: {bug: stale-read, time-limit: 5s, nodes: 3}
    expect: invalid
`), anything)
	require.NoError(t, err)
	require.Equal(t, "what runs at night", s.About)
	require.Len(t, s.Cells, 9)
	require.Equal(t, Cell{"etcd@v3.6.16", "docker", "register", "partition", 1, map[string]string{"time-limit": "20s"}, nil, reports.ExpectValid}, s.Cells[0])
	require.Equal(t, "consul/docker/register/kill,pause seed 2", s.Cells[7].Name())
	last := s.Cells[8]
	require.Equal(t, reports.ExpectInvalid, last.Expect)
	require.Equal(t, "raft/auto/register/mix bug=stale-read nodes=3 time-limit=5s seed 1", last.Name())
	require.Equal(t, []string{"--target=raft", "--fleet=auto", "--workload=register", "--nemesis=mix", "--seed=1", "--bug=stale-read", "--nodes=3", "--time-limit=5s"}, last.Args())
}

// What is wrong is said with its line and column.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "s.yaml: there are no runs",
		"runs: []":                  "s.yaml: there are no runs",
		"runs:\n  - tarjet: raft":   `unknown field "tarjet"`,
		"runs:\n  - target: {a: 1":  "s.yaml: [2:",
		"runs:\n  - target: {a: 1}": "a value or a list of values is expected",
		"runs:\n  - seed: [1, x]":   `s.yaml:2:11: a seed is a number from 0, not "x"`,
		"runs:\n  - seed: -1":       `a seed is a number from 0, not "-1"`,
		"runs:\n  - expect: fail":   `s.yaml:2:13: a run is expected to be valid, invalid or invalid:CHECKER, not "fail"`,
		"runs:\n  - flags:\n      bugg: stale-read":      `s.yaml:3:13: there is no flag "bugg"`,
		"flags:\n  bugg: stale-read\nruns:\n  - seed: 1": `s.yaml:2:9: there is no flag "bugg"`,
		"runs:\n  - seed: 1\n  - target: [raft, mysql]":  `raft/auto/register/mix seed 1 is there twice`,
		"runs:\n  - seed: 1\n    target: [raft, mysql]":  `mysql/auto/register/mix seed 1: unknown target "mysql"`,
		"runs:\n  - seed: 1\n    flags: {seed: 2}":       "seed is no flag of a run in a suite",
		"runs:\n  - seed: 1\n    seed: 2":                "s.yaml: [3:5]",
		"runs:\n  - seed: 1\n---\nruns:\n  - seed: 2":    "s.yaml:4:5: there is a second document",
		"runs: " + strings.Repeat("[", 200_000):          "lists in lists",
		"runs:\n" + strings.Repeat("- ", 100_000):        "lists in lists",
		"runs:\n- seed: !!str 1":                         "s.yaml:2:9: tags are not known here",
		"runs:\n- <<: {seed: 1}":                         "s.yaml:2:3: anchors, aliases and merges are not known here",
		"runs: [null]":                                   "s.yaml:1:8: a value is missing",
		"runs:\n- seed:\n  target: raft":                 "a value is missing",
		"runs:\n  - target: []":                          "s.yaml:2:13: the list is empty",
		"runs:\n  - seed: &a 1\n  - seed: *a":            "s.yaml:2:11: anchors, aliases and merges are not known here",
		"runs:\n  - seed: [" + strings.Repeat("1,", 200) + "1]\n    nemesis: [" + strings.Repeat("a,", 200) + "b]": "more than 10000 runs",
	} {
		_, err := Parse("s.yaml", []byte(text), anything)
		require.ErrorContains(t, err, want, text)
	}
}

// Shards are all cells, each once, of about the same size.
func TestShard(t *testing.T) {
	var cells []Cell
	for i := range 10 {
		cells = append(cells, Cell{Seed: uint64(i)})
	}
	for n := 1; n <= 12; n++ {
		seen := make(map[uint64]bool)
		for i := 1; i <= n; i++ {
			part := Shard(cells, i, n)
			require.LessOrEqual(t, len(part), (len(cells)+n-1)/n)
			for _, c := range part {
				require.False(t, seen[c.Seed])
				seen[c.Seed] = true
			}
		}
		require.Len(t, seen, len(cells), fmt.Sprint(n))
	}
}
