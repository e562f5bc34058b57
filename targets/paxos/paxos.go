// Package paxos is Multi-Paxos as a target: `sunder paxosd`, which everybody has who has sunder, with the classic
// mistakes to plant.
package paxos

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/member"
	"github.com/sunder-dev/sunder/targets/paxos/core"
)

// Command is the name of the command that runs a member.
const Command = "paxosd"

// about says what each mistake is, and which checkers see it.
var about = map[core.Bug][2]string{
	core.ForgetPromise: {"a promise is gone when a member begins again", "state or linear"},
	core.OwnValue:      {"a new leader proposes what it likes in place of what was accepted", "state or linear"},
	core.ReuseBallot:   {"two members use the same ballot", "leader or state or linear"},
	core.MixedQuorum:   {"promises for different ballots are counted together", "state or linear"},
	core.FewLearn:      {"a value counts as chosen one acceptance too soon", "state or linear"},
}

// hunt is a run that is made to find mistakes of consensus: leaders change all the time.
const hunt = "--nodes 3 --nemesis partition:halves@leader=400ms/200ms+kill@one=100ms/300ms --rate 500 --time-limit 30s"

// Bugs are those that can be planted.
func Bugs() (all []harness.Bug) {
	for _, b := range core.Bugs() {
		all = append(all, harness.Bug{
			Name: "paxos-" + string(b), Layer: "core", Source: "Lamport, Paxos Made Simple, 2001",
			About: about[b][0], Property: about[b][1],
			Hunt: hunt, Simulated: b == core.ForgetPromise || b == core.MixedQuorum,
		})
	}
	return all
}

// Entry is Paxos in a catalogue.
func Entry() harness.TargetEntry {
	return harness.TargetEntry{
		About: "Multi-Paxos, with the classic mistakes to plant",
		Self:  true,
		Role: member.Role(Command, "Multi-Paxos", func(flags *flag.FlagSet) func() (member.Begin, error) {
			bugs := flags.String("bug", "", "planted bugs, separated by commas; see 'sunder list bugs'")
			return func() (member.Begin, error) { return Begin(*bugs) }
		}),
		Bugs:  Bugs(),
		Shell: func(clients []string) string { return "curl http://" + clients[0] + "/status" },
		New: func(*flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			return func(c harness.TargetConfig) (harness.Target, error) {
				if len(c.Flags) > 0 {
					return nil, fmt.Errorf("its members have no flags, and %v were given", c.Arguments("--"))
				}
				return New(c.Bugs...)
			}
		},
	}
}

// New returns the target, with bugs planted.
func New(bugs ...string) (*member.Target, error) {
	if _, err := parse(strings.Join(bugs, ",")); err != nil {
		return nil, err
	}
	t := &member.Target{
		Command: Command,
		Times:   history.Timing{Heartbeat: core.AliveEvery * member.TickTime, Election: core.Silence * member.TickTime},
		Judges:  []string{"state", "leader"},
	}
	if len(bugs) > 0 {
		t.Args = []string{"--bug", strings.Join(bugs, ",")}
	}
	return t, nil
}

// parse reads the names of bugs, separated by commas.
func parse(list string) (bugs []core.Bug, err error) {
	if list == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		b := core.Bug(strings.TrimPrefix(name, "paxos-"))
		if !slices.Contains(core.Bugs(), b) {
			return nil, fmt.Errorf("unknown bug %q; see 'sunder list bugs'", name)
		}
		bugs = append(bugs, b)
	}
	return bugs, nil
}

// Begin makes the core of a member with bugs, separated by commas.
func Begin(bugs string) (member.Begin, error) {
	planted, err := parse(bugs)
	return func(id string, members []string, seed uint64, remembered json.RawMessage) (member.Core, error) {
		return core.New(id, members, seed, planted, remembered)
	}, err
}
