// Package bully is the Bully algorithm as a target: `sunder bullyd`, which everybody has who has sunder. Under
// partitions it has two leaders, by design.
package bully

import (
	"encoding/json"
	"flag"
	"fmt"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/bully/core"
	"github.com/sunder-dev/sunder/targets/member"
)

// Command is the name of the command that runs a member.
const Command = "bullyd"

// Entry is Bully in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About: "the Bully algorithm around a store: two leaders under partitions, by design",
		Self:  true,
		Role: member.Role(Command, "the Bully algorithm", func(*flag.FlagSet) func() (member.Begin, error) {
			return func() (member.Begin, error) { return Begin, nil }
		}),
		Shell: func(clients []string) string { return "curl http://" + clients[0] + "/status" },
		New: func(*flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			return func(c harness.TargetConfig) (harness.Target, error) {
				if len(c.Flags) > 0 {
					return nil, fmt.Errorf("its members have no flags, and %v were given", c.Arguments("--"))
				}
				return New(), nil
			}
		},
	}
}

// New returns the target. Its terms are no more than numbers of elections, so that one leader a term promises nothing:
// what it is trusted with is that one member leads at a time.
func New() *member.Target {
	return &member.Target{
		Command: Command,
		Warning: "the Bully algorithm has no quorum: under partitions each side elects a leader of its own, and what a " +
			"leader acknowledged can be lost with it",
		Times:  history.Timing{Heartbeat: core.AliveEvery * member.TickTime, Election: core.Silence * member.TickTime},
		Judges: []string{"leader:single"},
	}
}

// Begin implements [member.Begin].
func Begin(id string, members []string, _ uint64, remembered json.RawMessage) (member.Core, error) {
	return core.New(id, members, remembered)
}
