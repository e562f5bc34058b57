package raft

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Entry is the built-in Raft in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About: "the built-in Raft, which has bugs to plant",
		Self:  true,
		Role:  role(),
		Bugs:  Bugs(),
		Draw:  draw,
		Shell: func(clients []string) string { return "curl http://" + clients[0] + "/status" },
		New: func(*flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			return func(c harness.TargetConfig) (harness.Target, error) { return New(c.Flags, c.Bugs...) }
		},
	}
}

// draw draws an election timeout from short to long, of which all other times are shares, and lets nodes vary the rest.
func draw(r *rand.Rand) map[string]string {
	election := time.Duration(50 * math.Pow(3, r.Float64()) * float64(time.Millisecond)).Round(5 * time.Millisecond)
	return map[string]string{
		"election-timeout": election.String(), "heartbeat": (election / 3).Truncate(5 * time.Millisecond).String(), "vary": "true",
	}
}

// New returns a target whose nodes have the given flags of raftd, and the given bugs.
func New(flags map[string]string, bugs ...string) (*Target, error) {
	set := flag.NewFlagSet("raftd", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	n := NodeOptions(set)
	for name, value := range flags {
		if set.Lookup(name) == nil {
			return nil, fmt.Errorf("a node has no flag %q; see 'sunder raftd --help'", name)
		}
		if err := set.Set(name, value); err != nil {
			return nil, fmt.Errorf("flag %s=%s of a node: %w", name, value, err)
		}
	}
	t := &Target{
		Flags: harness.TargetConfig{Flags: flags}.Arguments("--"),
		Times: history.Timing{Heartbeat: n.config.Heartbeat, Election: n.config.ElectionTimeout},
	}
	if len(bugs) > 0 {
		list := strings.Join(bugs, ",")
		if _, err := parseBugs(list); err != nil {
			return nil, err
		}
		t.Flags = append(t.Flags, "--bug", list)
	}
	return t, nil
}
