package raft

import (
	"maps"
	"slices"
)

// PlantedBug says what is wrong with a bug that can be planted, and how a run is made to find it.
type PlantedBug struct {
	About string
	// Hunt are the flags of a run that finds it within a minute or so, beside --bug.
	Hunt string
}

// Bugs are the bugs that can be planted in the built-in Raft, by name.
var Bugs = map[string]PlantedBug{
	"quorum-minus-one": {"N/2 nodes are enough for a majority", "--nemesis partition:halves@leader --time-limit 15s"},
	"forget-vote": {"the vote is lost on restart",
		"--nodes 3 --latency 50ms --target-flag election-timeout=200ms --nemesis partition:isolate@leader=40ms/0s+kill@one=20ms/400ms --time-limit 30s"},
	"two-votes": {"votes for every candidate of a term",
		"--latency 20ms --nemesis kill@leader=400ms/500ms --time-limit 15s --launch-timeout 10s"},
	"vote-stale-log": {"elects candidates whose log is behind",
		"--nemesis partition:halves@leader=1s/0s --time-limit 30s"},
	"commit-old-term": {"commits entries of former terms by counting replicas (Figure 8)",
		"--nodes 3 --rate 40 --mix read=50,write=50 --op-timeout 500ms --target-flag heartbeat=25ms,election-timeout=75ms,check-quorum=false --nemesis partition:isolate@leader=20ms/0s --time-limit 60s"},
	"stale-read": {"reads are served from any node's own state", "--nemesis partition --time-limit 10s"},
	"lease-read": {"a paused leader trusts its lease",
		"--target-flag election-timeout=300ms --nemesis partition:halves@leader=2500ms/300ms+pause@leader=1500ms/100ms --time-limit 40s"},
	"no-step-down":     {"a leader ignores higher terms", "--nemesis pause@leader=1s/1s --time-limit 20s"},
	"ack-before-fsync": {"answers before the log is on disk", "--nemesis kill@all=300ms/2s --time-limit 15s"},
	"ack-before-commit": {"answers before a majority has the entry",
		"--nemesis partition:isolate@leader --time-limit 10s"},
	"cas-unchecked": {"sets without comparing", "--nemesis none --time-limit 10s"},
	"apply-twice": {"a command that is proposed again is applied again",
		"--latency 20ms --keys 2 --clients 20 --rate 0 --mix read=50,write=50 --nemesis pause@minority=500ms/500ms --time-limit 20s"},
}

// BugNames returns the names of the planted bugs, sorted.
func BugNames() []string { return slices.Sorted(maps.Keys(Bugs)) }

// HuntOf returns the command of a run that is made to find a planted bug; empty if there is none of that name.
func HuntOf(bug string) string {
	b, ok := Bugs[bug]
	if !ok {
		return ""
	}
	return "sunder run --bug " + bug + " " + b.Hunt
}
